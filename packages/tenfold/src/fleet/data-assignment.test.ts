import fc from "fast-check";
import { expect, test } from "vitest";

import { assignData } from "./data-assignment.ts";
import type { Site } from "./host-assignment.ts";

const site = (name: string, zone: string): Site => ({ name, zone });
const shard = (name: string, count: number, hosts?: readonly string[]) => ({ name, count, hosts });

test("a shard's servers are apart, its zones first, and the primaries dealt out", () => {
  const sites = [site("a", "z1"), site("b", "z1"), site("c", "z2")];
  const placed = assignData(sites, [shard("0", 2), shard("1", 2), shard("2", 3), shard("q", 1)]);
  expect(Object.fromEntries(placed)).toEqual({
    0: ["a", "c"],
    1: ["b", "c"],
    2: ["c", "a", "b"],
    q: ["a"],
  });
});

test("data stays on the hosts that it may have, also when they are too few to be apart", () => {
  const sites = [site("a", "z1"), site("b", "z2"), site("c", "z3")];
  const placed = assignData(sites, [shard("0", 3, ["b", "a"]), shard("1", 1, ["a", "b"])]);
  expect(Object.fromEntries(placed)).toEqual({ 0: ["a", "b", "a"], 1: ["b"] });
});

test("no two servers of a shard share a host, nor a zone, that could do without", () => {
  const fleets = fc.record({
    zones: fc.array(fc.constantFrom("z1", "z2", "z3"), { minLength: 1, maxLength: 7 }),
    shards: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 }),
  });
  fc.assert(
    fc.property(fleets, ({ zones, shards }) => {
      const sites = zones.map((zone, index) => site(`h${index}`, zone));
      const zoneOf = new Map(sites.map(({ name, zone }) => [name, zone]));
      const placed = assignData(
        sites,
        shards.map((count, index) => shard(`${index}`, count)),
      );
      for (const [index, count] of shards.entries()) {
        const hosts = placed.get(`${index}`) ?? [];
        const apart = new Set(hosts.map((host) => zoneOf.get(host)));
        expect(hosts).toHaveLength(count);
        expect(apart.size).toBe(Math.min(count, new Set(zones).size));
      }
      const heads = shards.map((_, index) => placed.get(`${index}`)?.[0]);
      const perHost = sites.map(({ name }) => heads.filter((host) => host === name).length);
      expect(Math.max(...perHost) - Math.min(...perHost)).toBeLessThanOrEqual(1);
    }),
  );
});
