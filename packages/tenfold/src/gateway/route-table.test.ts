import fc from "fast-check";
import { expect, it } from "vitest";

import { type Route, routeTable } from "./route-table.ts";

const routes: Route[] = [
  { path: "/", service: "root" },
  { path: "/api/v1", service: "api" },
  { path: "/api/v1/posts", service: "posts" },
];

it.each([
  ["/", "root"],
  ["/api", "root"],
  ["/api/v1", "api"],
  ["/api/v1/", "api"],
  ["/api/v10", "root"],
  ["/api/v1/post", "api"],
  ["/api/v1/posts", "posts"],
  ["/api/v1/posts/42", "posts"],
  ["/api/v1/posts%2F42", "api"],
  ["/api%2Fv1/posts", "root"],
  ["//api/v1", "root"],
  ["/API/v1", "root"],
])("%s goes to %s", (path, service) => {
  expect(routeTable(routes).find(path)?.service).toBe(service);
});

it("finds the longest prefix on a segment's border, as a plain search does", () => {
  const segment = fc.constantFrom("a", "b", "ab", "c");
  const path = fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
  fc.assert(
    fc.property(fc.uniqueArray(path), path, (paths, asked) => {
      const table = routeTable(paths.map((prefix) => ({ path: prefix, service: "s" })));
      const fits = (prefix: string): boolean =>
        prefix === "/" || asked === prefix || asked.startsWith(`${prefix}/`);
      const longest = paths.filter(fits).toSorted((a, b) => b.length - a.length)[0];
      expect(table.find(asked)?.path).toBe(longest);
    }),
  );
});

it.each([
  [{ path: "posts" }],
  [{ path: "/posts/" }],
  [{ path: "/a//b" }],
  [{ path: "/a%20b" }],
  [{ path: 5 }],
  [{ service: "" }],
  [{ methods: ["get"] }],
  [{ bodyBytesMax: -1 }],
  [{ deadlineMs: 0 }],
  [{ timeout: 5 }],
])("refuses %j", (fault) => {
  const route = { path: "/x", service: "x", ...fault } as never;
  expect(() => routeTable([route])).toThrow();
});

it("refuses a path that is there twice", () => {
  expect(() => routeTable([...routes, { path: "/api/v1", service: "x" }])).toThrow(/twice/);
});
