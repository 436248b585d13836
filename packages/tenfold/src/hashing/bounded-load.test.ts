import fc from "fast-check";
import { expect, test } from "vitest";

import { boundedLoad, type TakenPlace } from "./bounded-load.ts";
import type { HashNode } from "./hash-node.ts";
import { ring } from "./ring.ts";

const named = (count: number): HashNode[] =>
  Array.from({ length: count }, (_, i) => ({ nickname: `n${i}` }));

test("no node ever holds more than its bound, and none is refused while all may take keys", () => {
  const weight = fc.constantFrom(0.5, 1, 3);
  const ratio = fc.constantFrom(1, 1.05, 1.25, 2);
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ key: fc.integer({ min: 0, max: 40 }) }) },
    { weight: 1, arbitrary: fc.record({ drop: fc.nat() }) },
  );
  fc.assert(
    fc.property(
      fc.array(weight, { minLength: 1, maxLength: 6 }),
      ratio,
      fc.array(step, { maxLength: 120 }),
      (weights, bound, steps) => {
        const nodes = weights.map((own, i) => ({ nickname: `n${i}`, weight: own }));
        const total = weights.reduce<number>((sum, own) => sum + own, 0);
        const balance = boundedLoad(ring(nodes), { ratio: bound });
        const taken: TakenPlace<HashNode>[] = [];
        for (const each of steps) {
          if ("drop" in each) {
            taken.splice(each.drop % Math.max(1, taken.length), 1)[0]?.release();
            continue;
          }
          const place = balance.take(`key-${each.key}`);
          if (place === undefined) return expect.unreachable();
          taken.push(place);
          const { nickname, weight: own = 1 } = place.node;
          const most = Math.ceil((bound * taken.length * own) / total);
          expect(balance.loads().get(nickname)).toBeLessThanOrEqual(most);
        }
        const held = [...balance.loads().values()].reduce((sum, load) => sum + load);
        expect(held).toBe(taken.length);
        return undefined;
      },
    ),
  );
});

test("with room a key goes where the ring puts it; a hot key spills over, to more than one node", () => {
  const circle = ring(named(5));
  const balance = boundedLoad(circle, { ratio: 100 });
  for (let i = 0; i < 50; i++) {
    const place = balance.take(`k${i}`);
    expect(place?.node).toBe(circle.pick(`k${i}`));
  }
  const hot = boundedLoad(circle);
  const owners = Array.from({ length: 100 }, () => hot.take("hot")?.node.nickname);
  expect(new Set(owners).size).toBeGreaterThan(3);
  expect(Math.max(...hot.loads().values())).toBeLessThanOrEqual(Math.ceil(1.25 * 20));
});

test("a released place is free again, once", () => {
  const balance = boundedLoad(ring(named(2)));
  const place = balance.take("k");
  expect([...balance.loads().values()].sort()).toEqual([0, 1]);
  place?.release();
  place?.release();
  expect([...balance.loads().values()]).toEqual([0, 0]);
});

test("with nodes excluded the bound sheds, or is raised", () => {
  const exclude = new Set(["n0", "n1", "n2"]);
  const shedding = boundedLoad(ring(named(4)));
  const raising = boundedLoad(ring(named(4)), { whenFull: "raise" });
  let shed = 0;
  for (let i = 0; i < 40; i++) {
    const place = shedding.take(`k${i}`, { exclude });
    if (place === undefined) shed++;
    else expect(place.node.nickname).toBe("n3");
    expect(raising.take(`k${i}`, { exclude })?.node.nickname).toBe("n3");
  }
  expect(shed).toBeGreaterThan(30);
  expect(raising.loads().get("n3")).toBe(40);
  // Nobody may: shed in either case.
  const all = new Set(["n0", "n1", "n2", "n3"]);
  expect(raising.take("k", { exclude: all })).toBeUndefined();
});

test("another ring keeps the load of those that stay, also under a new nickname", () => {
  const balance = boundedLoad(ring(named(2)), { ratio: 1 });
  const places = Array.from({ length: 10 }, (_, i) => balance.take(`k${i}`));
  balance.update(ring([{ nickname: "renamed", hashedAs: "n0" }, { nickname: "n9" }]));
  expect([...balance.loads()].sort()).toEqual([
    ["n9", 0],
    ["renamed", 5],
  ]);
  // Places on a node that went away are released without effect on the others.
  for (const place of places) place?.release();
  expect([...balance.loads().values()]).toEqual([0, 0]);
  // Nor do they count towards the bound: of two more, each node gets one.
  expect(new Set([balance.take("a")?.node, balance.take("a")?.node]).size).toBe(2);
});

test("refused: bounds and options that are none", () => {
  const make = (options: object) => () => boundedLoad(ring(named(1)), options);
  expect(make({ ratio: 0.9 })).toThrow(/ratio must be a number from 1 to 100, got 0.9/);
  expect(make({ ratio: Number.NaN })).toThrow(/got NaN/);
  expect(make({ rehashesMax: -1 })).toThrow(/rehashesMax must be/);
  expect(make({ whenFull: "panic" })).toThrow(/"shed" or "raise"/);
  expect(make({ bound: 2 })).toThrow(/has no "bound"/);
});
