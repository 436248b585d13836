import fc from "fast-check";
import { expect, test } from "vitest";

import type { HashNode } from "./hash-node.ts";
import { maglev, maglevTable } from "./maglev.ts";

const named = (count: number): HashNode[] =>
  Array.from({ length: count }, (_, i) => ({ nickname: `proxy-${i}` }));

const turns = (...steps: [offset: number, skip: number][]) =>
  steps.map(([offset, skip]) => ({ offset, skip, weight: 1 }));

test("a known table of seven places", () => {
  expect([...maglevTable(turns([2, 4], [0, 5], [1, 2]), 7)]).toEqual([1, 2, 0, 2, 0, 1, 0]);
  const two = [...maglevTable(turns([2, 4], [1, 2]), 7)].map((at) => at * 2);
  expect(two).toEqual([0, 2, 0, 2, 0, 2, 0]);
});

test("the paper's table, and what is left of it when the second backend goes", () => {
  expect([...maglevTable(turns([3, 4], [0, 2], [3, 1]), 7)]).toEqual([1, 0, 1, 0, 2, 2, 0]);
  const left = [...maglevTable(turns([3, 4], [3, 1]), 7)].map((at) => at * 2);
  expect(left).toEqual([0, 0, 0, 0, 2, 2, 2]);
});

test("nodes of equal weight differ by one place at most", () => {
  for (const count of [1, 3, 10, 100]) {
    const places = [...maglev(named(count)).shares().values()].map((share) => share * 65_537);
    expect(Math.round(Math.max(...places) - Math.min(...places))).toBeLessThanOrEqual(1);
  }
});

test("shares follow the weights", () => {
  const weight = fc.integer({ min: 1, max: 20 });
  fc.assert(
    fc.property(fc.array(weight, { minLength: 1, maxLength: 10 }), (weights) => {
      const nodes = weights.map((own, i) => ({ nickname: `n${i}`, weight: own }));
      const shares = maglev(nodes, { tableSize: 10_007 }).shares();
      const total = weights.reduce((sum, own) => sum + own);
      for (const [i, own] of weights.entries()) {
        expect(Math.abs((shares.get(`n${i}`) ?? 0) - own / total)).toBeLessThan(0.001);
      }
    }),
  );
});

test("a node more takes its share, and moves 1 % of the others' keys at most", () => {
  const [before, after] = [maglev(named(10)), maglev(named(11))];
  let gained = 0;
  let others = 0;
  for (let i = 0; i < 50_000; i++) {
    const [from, to] = [before.pick(`k${i}`).nickname, after.pick(`k${i}`).nickname];
    if (from === to) continue;
    if (to === "proxy-10") gained++;
    else others++;
  }
  expect(Math.abs(gained / 50_000 - 1 / 11)).toBeLessThan(0.01);
  expect(others / 50_000).toBeLessThan(0.01);
});

test("the order of the list moves no key", () => {
  const [one, other] = [maglev(named(7)), maglev(named(7).reverse())];
  for (let i = 0; i < 2_000; i++) expect(other.pick(`k${i}`)).toEqual(one.pick(`k${i}`));
});

test("refused: tables that are no prime or too small", () => {
  const refused = (size: number, count: number, message: RegExp) =>
    expect(() => maglev(named(count), { tableSize: size })).toThrow(message);
  refused(65_536, 3, /tableSize must be a prime number, got 65536/);
  refused(97, 3, /from 101 to/);
  refused(1_009, 11, /10 nodes on a table of 1009 at most, got 11/);
  refused(65_537, 0, /one node at least/);
});
