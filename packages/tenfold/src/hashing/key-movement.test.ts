import fc from "fast-check";
import { expect, test } from "vitest";

import { type HashPolicyName, hashPolicy } from "./hash-policy.ts";
import { keyMovement, sampleKeys } from "./key-movement.ts";

const keys = [...sampleKeys(30_000)];
const numbered = (policy: HashPolicyName, count: number) =>
  hashPolicy({ policy, nodes: Array.from({ length: count }, (_, i) => ({ nickname: `n${i}` })) });
const shares = (before: object, after: object) => {
  const { moved, needless } = keyMovement(hashPolicy(before), hashPolicy(after), keys);
  return { moved: moved / keys.length, needless: needless / keys.length };
};

test("modulo: two thirds move from 2 to 3, half from 2 to 4, and those to new nodes alone", () => {
  const three = keyMovement(numbered("modulo", 2), numbered("modulo", 3), keys);
  expect(three.moved / keys.length).toBeCloseTo(2 / 3, 2);
  expect(three.needless / keys.length).toBeCloseTo(1 / 3, 2);
  const four = keyMovement(numbered("modulo", 2), numbered("modulo", 4), keys);
  expect(four.moved / keys.length).toBeCloseTo(1 / 2, 2);
  expect(four.needless).toBe(0);
});

const weights = [600, 300, 200, 350, 1000, 800, 950, 100];
const servers = weights.map((weight, i) => ({ host: `10.0.1.${i + 1}`, weight }));

test("weighted ketama moves keys that it need not", () => {
  const before = { policy: "libketama", nodes: servers };
  const without = shares(before, { policy: "libketama", nodes: servers.slice(0, -1) });
  expect(without.moved).toBeCloseTo(0.114, 2);
  expect(without.needless).toBeCloseTo(0.092, 2);
  const more = { host: "10.0.1.9", weight: 1000 };
  const withOne = shares(before, { policy: "libketama", nodes: [...servers, more] });
  expect(withOne.needless).toBeCloseTo(0.064, 2);
});

test("no change of nodes or weights moves a key needlessly on ring, rendezvous and jump", () => {
  const nodes = fc.uniqueArray(
    fc.record({
      nickname: fc.stringMatching(/^[a-z]{1,3}$/),
      weight: fc.constantFrom(0.5, 1, 2, 4),
    }),
    { minLength: 1, maxLength: 6, selector: ({ nickname }) => nickname },
  );
  const few = keys.slice(0, 400);
  fc.assert(
    fc.property(nodes, nodes, (before, after) => {
      for (const policy of ["ring", "rendezvous"] as const) {
        const [old, now] = [before, after].map((each) => hashPolicy({ policy, nodes: each }));
        if (old === undefined || now === undefined) return;
        expect(keyMovement(old, now, few).needless).toBe(0);
      }
    }),
    { numRuns: 60 },
  );
  for (let count = 1; count < 12; count++) {
    const grown = keyMovement(numbered("jump", count), numbered("jump", count + 1), few);
    expect(grown.needless).toBe(0);
  }
});

test("a rename with its alias is no movement, one without is a new node", () => {
  const nodes = [{ nickname: "a" }, { nickname: "b" }];
  const renamed = { policy: "ring", nodes: [{ nickname: "z", hashedAs: "a" }, { nickname: "b" }] };
  expect(shares({ policy: "ring", nodes }, renamed)).toEqual({ moved: 0, needless: 0 });
  const anew = { policy: "ring", nodes: [{ nickname: "z" }, { nickname: "b" }] };
  const { moved, needless } = shares({ policy: "ring", nodes }, anew);
  expect(moved).toBeGreaterThan(0.4);
  expect(needless).toBe(0);
});

test("counts add up, and every node of either side is there", () => {
  const before = hashPolicy({ policy: "maglev", nodes: [{ nickname: "a" }, { nickname: "b" }] });
  const after = hashPolicy({ policy: "ring", nodes: [{ nickname: "c", weight: 2 }] });
  const movement = keyMovement(before, after, keys);
  expect(movement.nodes.map(({ identity }) => identity)).toEqual(["a", "b", "c"]);
  expect(movement.nodes.reduce((sum, node) => sum + node.before, 0)).toBe(keys.length);
  expect(movement.nodes[2]).toEqual({
    identity: "c",
    before: 0,
    after: keys.length,
    weightBefore: 0,
    weightAfter: 2,
  });
  expect(movement.moved).toBe(keys.length);
});

test("another address is needless movement for ketama, none for a named twemproxy", () => {
  const at = (last: number) => [
    { host: `10.0.0.${last}`, name: "one" },
    { host: `10.0.1.${last}`, name: "two" },
  ];
  const libketama = shares(
    { policy: "libketama", nodes: at(1) },
    { policy: "libketama", nodes: at(2) },
  );
  expect(libketama.needless).toBeGreaterThan(0.3);
  expect(libketama.needless).toBe(libketama.moved);
  const twemproxy = shares(
    { policy: "twemproxy", nodes: at(1) },
    { policy: "twemproxy", nodes: at(2) },
  );
  expect(twemproxy.moved).toBe(0);
});

const one = [{ nickname: "a" }];
test.each<[unknown, string]>([
  [undefined, "must be an object, got undefined"],
  [[], "must be an object, got []"],
  [{ nodes: one }, '"policy" must be one of ring, '],
  [{ policy: "toString", nodes: one }, 'got "toString"'],
  [{ policy: "ring" }, '"nodes" must be a list, got undefined'],
  [{ policy: "ring", nodes: ["a"] }, 'nodes[0] must be an object, got "a"'],
  [{ policy: "ring", nodes: one, tableSize: 7 }, 'The policy ring has no "tableSize"'],
  [{ policy: "ring", nodes: [{ ...one[0], host: "a" }] }, 'nodes[0] has no "host"'],
  [{ policy: "ring", nodes: [{}] }, "TENFOLD_HASHING_NICKNAME_INVALID"],
  [{ policy: "ring", nodes: [] }, "TENFOLD_HASHING_EMPTY"],
  [{ policy: "jump", nodes: [{ nickname: "a", weight: 2 }] }, "must be 1, since buckets"],
  [
    {
      policy: "libketama",
      nodes: [
        { host: "a", name: "x" },
        { host: "b", name: "x" },
      ],
    },
    "TENFOLD_HASHING_NICKNAME_TAKEN",
  ],
  [{ policy: "nginx", nodes: [{ host: "a" }], keyHash: "md5" }, "keyHash must be crc32"],
])("refused: %j", (config, expected) => {
  let text = "";
  try {
    hashPolicy(config);
  } catch (error) {
    text = `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
  expect(text).toContain(expected);
});
