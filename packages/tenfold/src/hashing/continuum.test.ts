import fc from "fast-check";
import { expect, test } from "vitest";

import { allSteps, continuumSteps, ownerOf, ownerShares, type PointSource } from "./continuum.ts";

const source = (owner: number, points: readonly number[]): PointSource => ({
  owner,
  count: points.length,
  write: (target, from) => target.set(points, from),
});

const build = (...owned: readonly (readonly number[])[]) =>
  allSteps(continuumSteps(owned.map((points, owner) => source(owner, points))));

/** As the definition says it: the first point at or after the hash, else the first of all. */
function naiveOwner(owned: readonly (readonly number[])[], hash: number): number {
  const all = owned.flatMap((points, owner) => points.map((point) => ({ point, owner })));
  const sorted = all.toSorted((a, b) => a.point - b.point || a.owner - b.owner);
  return (sorted.find(({ point }) => point >= hash) ?? sorted[0])?.owner ?? -1;
}

const word = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff),
  fc.integer({ min: 0, max: 20 }),
);

test("a hash belongs to the first point at or after it, equal points to the first source", () => {
  const owned = fc.array(fc.array(word, { minLength: 1, maxLength: 40 }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(owned, fc.array(word, { maxLength: 30 }), (sources, hashes) => {
      const continuum = build(...sources);
      for (const hash of [...hashes, ...sources.flat()]) {
        expect(ownerOf(continuum, hash)).toBe(naiveOwner(sources, hash));
      }
    }),
  );
});

test("shares are the lengths of the arcs", () => {
  const quarter = 0x4000_0000;
  const shares = ownerShares(build([quarter, quarter * 3], [quarter * 2, 0]), 2);
  expect([...shares]).toEqual([0.5, 0.5]);
  // The single owner of everything, and a point that another one stands on.
  expect([...ownerShares(build([7]), 1)]).toEqual([1]);
  expect([...ownerShares(build([7], [7]), 2)]).toEqual([1, 0]);
});

test("too many points are refused before anything is drawn", () => {
  const huge = { owner: 0, count: 8_388_609, write: () => expect.unreachable() };
  expect(() => allSteps(continuumSteps([huge]))).toThrow(
    expect.objectContaining({ code: "TENFOLD_HASHING_TOO_MANY" }),
  );
});
