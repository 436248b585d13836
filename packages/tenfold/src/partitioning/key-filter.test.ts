import fc from "fast-check";
import { expect, test } from "vitest";

import { decodeKeyFilter, keyFilter } from "./key-filter.ts";

test("no key that was added is ever denied, also after JSON", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.constantFrom(0.5, 0.01, 0.0001), (keys, maybeShare) => {
      const filter = keyFilter({ keysMax: 10, maybeShare });
      for (const key of keys) filter.add(key);
      const again = decodeKeyFilter(filter.encode());
      expect(keys.every((key) => filter.mayHold(key) && again.mayHold(key))).toBe(true);
    }),
  );
});

test("of other keys about the promised share is let through, at about ten bits a key", () => {
  const filter = keyFilter({ keysMax: 20_000 });
  for (let key = 0; key < 20_000; key++) filter.add(`in-${key}`);
  let maybe = 0;
  for (let key = 0; key < 50_000; key++) if (filter.mayHold(`out-${key}`)) maybe += 1;
  expect(maybe / 50_000).toBeLessThan(0.015);
  expect((filter.bytes * 8) / 20_000).toBeLessThan(10);
});

test.each([
  "",
  "null",
  "{}",
  '{"format":1,"probes":0,"bits":"AA=="}',
  '{"format":1,"probes":3,"bits":""}',
  '{"format":2,"probes":3,"bits":"AA=="}',
  '{"format":1,"probes":3,"bits":"*"}',
  '{"format":1,"probes":1e9,"bits":"AA=="}',
])("%s is no filter", (json) => {
  expect(() => decodeKeyFilter(json)).toThrow(/no key filter/);
});
