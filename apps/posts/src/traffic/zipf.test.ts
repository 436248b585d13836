import { seededRandom } from "tenfold/runtime";
import { expect, test } from "vitest";

import { zipf } from "./zipf.ts";

test("the first of a thousand gets about 13 percent, every draw is in range", () => {
  const draw = zipf(1_000, 1, seededRandom("zipf"));
  const counts = new Array<number>(1_000).fill(0);
  for (let i = 0; i < 100_000; i++) {
    const rank = draw();
    counts[rank] = (counts[rank] ?? 0) + 1;
  }
  expect(counts).toHaveLength(1_000);
  const harmonic = Array.from({ length: 1_000 }, (_, rank) => 1 / (rank + 1)).reduce(
    (a, b) => a + b,
  );
  expect((counts[0] ?? 0) / 100_000).toBeCloseTo(1 / harmonic, 1);
});

test("exponent 0 makes all alike", () => {
  const draw = zipf(4, 0, seededRandom("flat"));
  const seen = new Set(Array.from({ length: 200 }, draw));
  expect([...seen].sort()).toEqual([0, 1, 2, 3]);
});
