import { expect, it } from "vitest";

import { isTenfoldError } from "../runtime/errors.ts";
import { shown } from "../runtime/options.ts";
import type { Resolver } from "./endpoint.ts";
import { staticResolver } from "./static-resolver.ts";

async function listed(resolver: Resolver, service: string): Promise<string[]> {
  for await (const list of resolver.watch(service)) return list.map(({ id }) => id);
  return ["nothing"];
}

it("takes lists of objects and of text", async () => {
  const resolver = staticResolver({
    posts: "10.0.0.7:8080, [fd00::7]:8081,posts.internal:80",
    guid: [{ address: "10.0.0.9", port: 1, id: "guid-1" }],
  });
  expect(await listed(resolver, "posts")).toEqual([
    "10.0.0.7:8080",
    "[fd00::7]:8081",
    "posts.internal:80",
  ]);
  expect(await listed(resolver, "guid")).toEqual(["guid-1"]);
  expect(await listed(resolver, "nobody")).toEqual([]);
});

it("takes one text for whatever is asked for", async () => {
  expect(await listed(staticResolver("10.0.0.7:8080"), "any")).toEqual(["10.0.0.7:8080"]);
});

it.each(["", "posts", "a:0", "a:65536", "fd00::7:80", "a:80,,b:80", "a:80,a:80", "a b:80"])(
  "refuses %j",
  (list) => {
    try {
      staticResolver(list);
      expect.unreachable();
    } catch (error) {
      expect(isTenfoldError(error, "TENFOLD_DISCOVERY_ADDRESS_INVALID")).toBe(true);
    }
  },
);

it.each([Number.NaN, -1, 1e-9, 1e7, Number.POSITIVE_INFINITY, "2", { toString: "" }])(
  "refuses a weight of %j",
  (weight) => {
    const good = { address: "10.0.0.9", port: 1, weight: 0 };
    const bad = { address: "10.0.0.9", port: 2, weight: weight as number };
    try {
      staticResolver({ posts: [good, bad] });
      expect.unreachable();
    } catch (error) {
      expect(isTenfoldError(error, "TENFOLD_BALANCING_WEIGHT_INVALID")).toBe(true);
      const text = "The weight of 10.0.0.9:2 must be 0 or a number from 0.000001 to 1000000, got ";
      expect(String(error)).toContain(`${text}${shown(weight)}.`);
    }
  },
);
