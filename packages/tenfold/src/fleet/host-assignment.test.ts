import fc from "fast-check";
import { expect, test } from "vitest";

import { assignGroups, type Site, type SpreadGroup } from "./host-assignment.ts";

const site = (name: string, zone: string): Site => ({ name, zone });
const group = (name: string, count: number, spread: "zone" | "host" = "zone"): SpreadGroup => ({
  name,
  count,
  spread,
  hosts: undefined,
});
const table = (sites: readonly Site[], groups: readonly SpreadGroup[]) =>
  Object.fromEntries([...assignGroups(sites, groups)].map(([name, at]) => [name, at.join(" ")]));

test("instances are on all hosts, single ones where there is most room", () => {
  const sites = [site("a", "z1"), site("b", "z2"), site("c", "z3")];
  const groups = [group("posts", 3), group("worker", 2), group("guid", 2), group("geoip", 1)];
  expect(table(sites, groups)).toEqual({
    posts: "a c b",
    worker: "a b",
    guid: "a b",
    geoip: "c",
  });
});

test("zones come before hosts, unless hosts are asked for", () => {
  const sites = [site("a", "z1"), site("b", "z1"), site("c", "z2")];
  expect(table(sites, [group("posts", 4)])).toEqual({ posts: "a c b c" });
  expect(table(sites, [group("posts", 3, "host")])).toEqual({ posts: "a c b" });
});

test("a service stays on the hosts that it may have", () => {
  const sites = [site("a", "z1"), site("b", "z2"), site("c", "z3")];
  const groups = [{ ...group("posts", 4), hosts: ["c", "b"] }, group("geoip", 1)];
  expect(table(sites, groups)).toEqual({ posts: "b b c c", geoip: "a" });
});

const fleets = fc.record({
  zones: fc.array(fc.constantFrom("z1", "z2", "z3"), { minLength: 2, maxLength: 8 }),
  groups: fc.array(
    fc.record({ count: fc.integer({ min: 1, max: 12 }), spread: fc.constantFrom("zone", "host") }),
    { minLength: 1, maxLength: 8 },
  ),
});

const counts = (values: readonly string[], all: readonly string[]): number[] =>
  all.map((each) => values.filter((value) => value === each).length);
const unevenness = (numbers: readonly number[]): number =>
  Math.max(...numbers) - Math.min(...numbers);

test("every group is as even as it can be, and all hosts have about the same", () => {
  fc.assert(
    fc.property(fleets, ({ zones, groups }) => {
      const sites = zones.map((zone, index) => site(`h${index}`, zone));
      const named = groups.map(({ count, spread }, index) => group(`g${index}`, count, spread));
      const placed = assignGroups(sites, named);
      const names = sites.map(({ name }) => name);
      const zoneOf = new Map(sites.map(({ name, zone }) => [name, zone]));
      for (const { name, count, spread } of named) {
        const at = placed.get(name) ?? [];
        expect(at).toHaveLength(count);
        const byZone = counts(
          at.map((host) => zoneOf.get(host) as string),
          [...new Set(zones)],
        );
        if (spread === "zone") expect(unevenness(byZone)).toBeLessThanOrEqual(1);
        else expect(unevenness(counts(at, names))).toBeLessThanOrEqual(1);
      }
    }),
  );
});

test("a host that is appended only takes over, and nothing moves between the others", () => {
  fc.assert(
    fc.property(fleets, ({ zones, groups }) => {
      const sites = zones.map((zone, index) => site(`h${index}`, zone));
      const named = groups.map(({ count, spread }, index) => group(`g${index}`, count, spread));
      const [before, after] = [assignGroups(sites.slice(0, -1), named), assignGroups(sites, named)];
      const added = sites.at(-1)?.name;
      for (const [name, hosts] of after) {
        for (const [member, host] of hosts.entries()) {
          if (host !== added) expect(host).toBe(before.get(name)?.[member]);
        }
      }
    }),
  );
});
