import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { compileRoutes } from "./router.ts";

const routes = {
  "GET /": "root",
  "GET /api/posts/:user": "list",
  "POST /api/posts/:user": "write",
  "GET /api/posts/new": "new",
  "GET /api/posts/:user/:post": "one",
  "GET /api/posts/:user/all/x": "deep",
};
const router = compileRoutes(routes);

describe("router", () => {
  it.each([
    ["GET", "/", "root", {}],
    ["GET", "/api/posts/42", "list", { user: "42" }],
    ["HEAD", "/api/posts/42", "list", { user: "42" }],
    ["POST", "/api/posts/new", "write", { user: "new" }],
    ["GET", "/api/posts/new", "new", {}],
    ["GET", "/api/posts/new/7", "one", { user: "new", post: "7" }],
    ["GET", "/api/posts/a%2Fb%20%EA%B0%80", "list", { user: "a/b 가" }],
    ["GET", "/api/p%6Fsts/42", "list", { user: "42" }],
    ["GET", "/api/posts/__proto__", "list", { user: "__proto__" }],
  ])("%s %s is served by %s", (method, path, handler, params) => {
    const match = router.match(method, path);
    expect(match).toMatchObject({ kind: "found", handler });
    expect(Object.entries(match.kind === "found" ? match.params : {})).toEqual(
      Object.entries(params),
    );
  });

  it.each(["/api", "/api/posts", "/api/posts/", "/api/posts/1/2/3", "//", "/api/posts/1/"])(
    "knows nothing at %s",
    (path) => expect(router.match("GET", path)).toEqual({ kind: "unknown" }),
  );

  it("names the methods of a path that has others", () => {
    const match = router.match("DELETE", "/api/posts/new");
    expect(match).toEqual({ kind: "method", allow: ["GET", "HEAD", "POST"] });
  });

  it.each(["/%", "/%zz", "/%ff", "/%c0%ae", "x", "", "*", "/a%00b", "/a%0d%0ab", "/%ed%a0%80"])(
    "calls %j malformed",
    (path) => expect(router.match("GET", path)).toEqual({ kind: "malformed" }),
  );

  it.each([
    [{ "get /a": 1 }],
    [{ "GET a": 1 }],
    [{ "GET /a b": 1 }],
    [{ "GET /:": 1 }],
    [{ "GET /:a/:a": 1 }],
    [{ "GET /:a": 1, "GET /:b": 2 }],
  ])("refuses the routes %j", (bad) => {
    const invalid = expect.objectContaining({ code: "TENFOLD_FLEET_ROUTE_INVALID" });
    expect(() => compileRoutes(bad as Record<string, unknown>)).toThrow(invalid);
  });

  it("gives every parameter back as it was, whatever is in it", () => {
    const text = fc
      .string({ unit: "binary", minLength: 1, maxLength: 30 })
      // biome-ignore lint/suspicious/noControlCharactersInRegex: paths with these are refused.
      .filter((value) => value.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(value));
    fc.assert(
      fc.property(text, text, (user, post) => {
        const path = `/api/posts/${encodeURIComponent(user)}/${encodeURIComponent(post)}`;
        expect(router.match("GET", path)).toMatchObject({ params: { user, post } });
      }),
    );
  });

  it("finds what a plain search over all patterns finds", () => {
    const segment = fc.constantFrom("a", "b", ":x", ":y");
    const pattern = fc
      .array(segment, { minLength: 1, maxLength: 4 })
      .map((all) => `/${all.map((s, i) => (s.startsWith(":") ? `${s}${i}` : s)).join("/")}`);
    const path = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.uniqueArray(pattern, { maxLength: 8, selector: shapeOf }),
        path,
        (all, segments) => {
          const compiled = compileRoutes(
            Object.fromEntries(all.map((each) => [`GET ${each}`, each])),
          );
          const fits = (each: string): boolean => {
            const parts = each.slice(1).split("/");
            return (
              parts.length === segments.length &&
              parts.every((part, i) => part.startsWith(":") || part === segments[i])
            );
          };
          const match = compiled.match("GET", `/${segments.join("/")}`);
          expect(match.kind).toBe(all.some(fits) ? "found" : "unknown");
          if (match.kind === "found") expect(fits(match.handler)).toBe(true);
        },
      ),
    );
  });

  it("takes no more steps for a hostile path than it has patterns", () => {
    const deep = compileRoutes({
      [`GET /${Array(20)
        .fill(":p")
        .map((p, i) => p + i)
        .join("/")}/end`]: 1,
    });
    expect(deep.match("GET", "/x".repeat(5_000))).toEqual({ kind: "unknown" });
  });
});

function shapeOf(pattern: string): string {
  return pattern.replaceAll(/:\w+/g, ":");
}
