import fc from "fast-check";
import { expect, test } from "vitest";

import { fencingToken, generationMax } from "./fencing-token.ts";

const pair = fc.tuple(fc.nat(generationMax), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));

test("tokens compare as text the way generation and revision compare as numbers", () => {
  fc.assert(
    fc.property(pair, pair, ([g, r], [h, s]) => {
      const isLess = g < h || (g === h && r < s);
      expect(fencingToken(g, r) < fencingToken(h, s)).toBe(isLess);
    }),
  );
});

test("its form is fixed: other systems store it", () => {
  expect(fencingToken(0, 1n)).toBe("00000000.0000000000000001");
  expect(fencingToken(0x69247d00, 2n ** 64n - 1n)).toBe("69247d00.ffffffffffffffff");
});
