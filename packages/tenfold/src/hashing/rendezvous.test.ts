import fc from "fast-check";
import { expect, test } from "vitest";

import { rendezvous } from "./rendezvous.ts";

const keys = Array.from({ length: 200 }, (_, i) => `user:${i}`);
const weight = fc.constantFrom(0.25, 0.5, 1, 2, 5);
const pool = fc
  .dictionary(
    fc.stringMatching(/^[a-z]{1,4}$/).map((name) => `n-${name}`),
    weight,
    { minKeys: 1, maxKeys: 8 },
  )
  .map((weights) => new Map(Object.entries(weights)));
const of = (weights: ReadonlyMap<string, number>) =>
  rendezvous(Array.from(weights, ([nickname, own]) => ({ nickname, weight: own })));

test("a key moves only from a node that lost weight or to one that gained it", () => {
  fc.assert(
    fc.property(pool, pool, (before, after) => {
      const [old, now] = [of(before), of(after)];
      for (const key of keys) {
        const [from, to] = [old.pick(key).nickname, now.pick(key).nickname];
        if (from === to) continue;
        const lost = (after.get(from) ?? 0) < (before.get(from) ?? 0);
        const gained = (after.get(to) ?? 0) > (before.get(to) ?? 0);
        expect(lost || gained, `${key}: ${from} → ${to}`).toBe(true);
      }
    }),
  );
});

test("replicas begin with the key's node; the second takes over when it goes", () => {
  const weights = new Map([
    ["n-a", 1],
    ["n-b", 3],
    ["n-c", 0.5],
    ["n-d", 1],
  ]);
  const all = of(weights);
  for (const key of keys) {
    const [first, second, ...rest] = all.replicas(key, 9).map(({ nickname }) => nickname);
    expect(first).toBe(all.pick(key).nickname);
    expect(new Set([first, second, ...rest]).size).toBe(4);
    const left = of(new Map([...weights].filter(([name]) => name !== first)));
    expect(left.pick(key).nickname).toBe(second);
  }
  expect(() => all.replicas("k", 0)).toThrow(/count must be/);
});

test("shares are binomial around the weights", () => {
  const weights = [1, 2, 5, 0.5, 1.5];
  const all = rendezvous(weights.map((own, i) => ({ nickname: `n${i}`, weight: own })));
  const count = 50_000;
  const counts = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const { nickname } = all.pick(`key-${i}`);
    counts.set(nickname, (counts.get(nickname) ?? 0) + 1);
  }
  for (const [i, own] of weights.entries()) {
    const share = own / 10;
    const deviation = Math.sqrt(count * share * (1 - share));
    expect(Math.abs((counts.get(`n${i}`) ?? 0) - count * share)).toBeLessThan(5 * deviation);
  }
});
