import fc from "fast-check";
import { expect, test } from "vitest";

import type { HashNode } from "./hash-node.ts";
import { murmur3 } from "./murmur3.ts";
import { ring, ringInSteps } from "./ring.ts";

const keys = Array.from({ length: 2_000 }, (_, i) => `user:${i}`);
const named = (count: number): HashNode[] =>
  Array.from({ length: count }, (_, i) => ({ nickname: `cache-${i}` }));

const nickname = fc.string({ minLength: 1, maxLength: 8, unit: "grapheme-ascii" });
const weight = fc.constantFrom(0.25, 0.5, 1, 1.5, 2, 5);
/** Weights by nickname: two of them are a change of the nodes. */
const pool = fc
  .dictionary(
    nickname.map((name) => `n${name}`.replaceAll(":", "")),
    weight,
    { minKeys: 1, maxKeys: 8 },
  )
  .map((weights) => new Map(Object.entries(weights)));

const ringOf = (weights: ReadonlyMap<string, number>) =>
  ring(Array.from(weights, ([name, own]) => ({ nickname: name, weight: own })));

test("the points of a node are the murmur3 of its labels", () => {
  const nodes = [{ nickname: "ätna" }, { nickname: "b", weight: 0.5 }];
  const circle = ring(nodes, { pointsPerWeight: 20 });
  expect(circle.points).toBe(30);
  for (let k = 0; k < 20; k++) expect(circle.at(murmur3(`ätna-${k}`)).nickname).toBe("ätna");
  for (let k = 0; k < 10; k++) expect(circle.at(murmur3(`b-${k}`)).nickname).toBe("b");
  // More points than one piece of the building holds.
  const heavy = ring([
    { nickname: "a", weight: 200 },
    { nickname: "b", weight: 200 },
  ]);
  const own = Array.from({ length: 32_000 }, (_, k) => heavy.at(murmur3(`b-${k}`)).nickname);
  expect(own.filter((name) => name === "b").length).toBe(32_000);
});

// These fix the keys of everyone who uses the ring: they may never change.
test("where keys are is fixed for ever", () => {
  const circle = ring(named(5));
  const first = keys.slice(0, 12).map((key) => circle.pick(key).nickname.slice(-1));
  expect(first.join("")).toMatchInlineSnapshot(`"042031213340"`);
  expect(murmur3(keys.map((key) => circle.pick(key).nickname).join())).toMatchInlineSnapshot(
    `1183617192`,
  );
});

test("a key moves only from a node that lost weight or to one that gained it", () => {
  fc.assert(
    fc.property(pool, pool, (before, after) => {
      const [old, now] = [ringOf(before), ringOf(after)];
      for (const key of keys.slice(0, 200)) {
        const [from, to] = [old.pick(key).nickname, now.pick(key).nickname];
        if (from === to) continue;
        const lost = (after.get(from) ?? 0) < (before.get(from) ?? 0);
        const gained = (after.get(to) ?? 0) > (before.get(to) ?? 0);
        expect(lost || gained, `${key}: ${from} → ${to}`).toBe(true);
      }
    }),
  );
});

test("when a node goes, its keys go to their next replica", () => {
  fc.assert(
    fc.property(pool, fc.nat(), (weights, chosen) => {
      fc.pre(weights.size > 1);
      const gone = [...weights.keys()][chosen % weights.size] ?? "";
      const before = ringOf(weights);
      const after = ringOf(new Map([...weights].filter(([name]) => name !== gone)));
      for (const key of keys.slice(0, 100)) {
        const [first, second] = before.replicas(key, 2).map((node) => node.nickname);
        expect(after.pick(key).nickname).toBe(first === gone ? second : first);
      }
    }),
  );
});

test("of equal points the lowest identity counts, whatever the order of the list", () => {
  // These two have this point in common, found by search.
  const [low, high] = [{ nickname: "h70" }, { nickname: "h944" }];
  const shared = 1_182_111_310;
  expect(ring([low, high]).at(shared)).toBe(low);
  expect(ring([high, low]).at(shared)).toBe(low);
  expect(ring([high]).at(shared)).toBe(high);
  // A new nickname changes no tie.
  expect(ring([{ nickname: "z", hashedAs: "h70" }, high]).at(shared).nickname).toBe("z");
});

test("replicas are distinct, begin with the key's node, and end when there are no more nodes", () => {
  const circle = ring(named(4));
  for (const key of keys.slice(0, 200)) {
    const three = circle.replicas(key, 3);
    expect(new Set(three).size).toBe(3);
    expect(three[0]).toBe(circle.pick(key));
    expect(circle.replicas(key, 9)).toHaveLength(4);
  }
  expect(() => circle.replicas("k", 0)).toThrow(/count must be/);
});

test("neither order nor address nor a rename with its alias moves a key", () => {
  const nodes = named(6).map((node, i) => ({ ...node, address: `10.0.0.${i}` }));
  const before = ring(nodes);
  const moved = nodes.map((node, i) => ({ ...node, address: `10.9.9.${i}` })).reverse();
  const [first, ...rest] = moved;
  const renamed = ring([...rest, { nickname: "zebra", hashedAs: first?.nickname ?? "" }]);
  const after = ring(moved);
  for (const key of keys) {
    const { nickname: owner } = before.pick(key);
    expect(after.pick(key).nickname).toBe(owner);
    expect(renamed.pick(key).nickname).toBe(owner === first?.nickname ? "zebra" : owner);
  }
});

test("shares follow the weights within the spread of so many points", () => {
  const weights = [1, 1, 2, 4];
  const circle = ring(
    weights.map((own, i) => ({ nickname: `n${i}`, weight: own })),
    { pointsPerWeight: 2_000 },
  );
  const shares = circle.shares();
  expect([...shares.values()].reduce((sum, share) => sum + share)).toBeCloseTo(1, 12);
  // Four deviations of a share drawn from 2,000 points a weight.
  for (const [i, own] of weights.entries()) {
    expect(Math.abs((shares.get(`n${i}`) ?? 0) - own / 8)).toBeLessThan(0.01 * own);
  }
  const counted = keys.filter((key) => circle.pick(key).nickname === "n3").length / keys.length;
  expect(Math.abs(counted - (shares.get("n3") ?? 0))).toBeLessThan(0.05);
});

test("1,000 nodes are built in steps and give the same ring", async () => {
  let pauses = 0;
  const nodes = named(1_000);
  const stepped = await ringInSteps(nodes, {
    pause: () => {
      pauses++;
      return Promise.resolve();
    },
  });
  const whole = ring(nodes);
  for (const key of keys) expect(stepped.pick(key)).toBe(whole.pick(key));
  // 160,000 points at 16,384 a step, five times over.
  expect(pauses).toBeGreaterThan(50);
});

test("one node of enormous weight is built in steps too", async () => {
  let pauses = 0;
  const pause = () => Promise.resolve(pauses++);
  await ringInSteps([{ nickname: "big", weight: 2_000 }], { pause });
  expect(pauses).toBeGreaterThan(80);
});

const codeOf = (nodes: readonly HashNode[], options = {}): string => {
  try {
    ring(nodes, options);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
  return "taken";
};

test.each<[string, HashNode[], string]>([
  ["no nodes", [], "TENFOLD_HASHING_EMPTY: There must be one node at least"],
  ["twice", [{ nickname: "a" }, { nickname: "a" }], 'NICKNAME_TAKEN: Two nodes are called "a"'],
  [
    "a former name again",
    [{ nickname: "b", hashedAs: "a" }, { nickname: "a" }],
    'NICKNAME_TAKEN: Two nodes are called "a"',
  ],
  ["weight 0", [{ nickname: "a", weight: 0 }], "WEIGHT_INVALID: The weight of a must be"],
  ["no number", [{ nickname: "a", weight: Number.NaN }], "got NaN"],
  ["negative", [{ nickname: "a", weight: -1 }], "got -1"],
  ["endless", [{ nickname: "a", weight: Number.POSITIVE_INFINITY }], "got Infinity"],
  ["a text", [{ nickname: "a", weight: "2" as unknown as number }], "WEIGHT_INVALID"],
  ["enormous", [{ nickname: "a", weight: 1e9 }], "got 1000000000"],
  ["more points than fit", [{ nickname: "a", weight: 100_000 }], "WEIGHT_INVALID"],
  ["less than a point", [{ nickname: "a", weight: 0.001 }], "WEIGHT_INVALID"],
  ["empty", [{ nickname: "" }], "NICKNAME_INVALID"],
  ["long", [{ nickname: "x".repeat(129) }], "NICKNAME_INVALID"],
  ["no text", [{ nickname: 7 as unknown as string }], "NICKNAME_INVALID"],
  ["a control character", [{ nickname: "a\nb" }], "NICKNAME_INVALID"],
  ["IPv4", [{ nickname: "10.0.0.1" }], "must not be an address"],
  ["IPv4 and port", [{ nickname: "10.0.0.1:11211" }], "must not be an address"],
  ["IPv6", [{ nickname: "fe80::1" }], "must not be an address"],
  ["IPv6 and port", [{ nickname: "[fe80::1]:80" }], "must not be an address"],
  ["host and port", [{ nickname: "cache.local:11211" }], "must not be an address"],
])("refused: %s", (_what, nodes, expected) => expect(codeOf(nodes)).toContain(expected));

test("what looks like an address only at first sight is a nickname", () => {
  for (const name of ["redis-1", "10", "a.b", "zone a: 1st", "캐시-1", "v1.2.3"]) {
    expect(codeOf([{ nickname: name }])).toBe("taken");
  }
});

test("refused: unknown and impossible options, too many points together, too many nodes", () => {
  expect(codeOf(named(1), { points: 3 })).toContain("TENFOLD_OPTION_UNKNOWN");
  expect(codeOf(named(1), { pointsPerWeight: 0 })).toContain("TENFOLD_OPTION_INVALID");
  expect(codeOf(named(3), { pointsPerWeight: 65_536 })).toBe("taken");
  expect(codeOf(named(129), { pointsPerWeight: 65_536 })).toContain("TENFOLD_HASHING_TOO_MANY");
  expect(codeOf(named(65_536))).toContain("TENFOLD_HASHING_TOO_MANY");
});
