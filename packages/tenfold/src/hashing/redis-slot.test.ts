import fc from "fast-check";
import { expect, test } from "vitest";

import { crc16, redisSlot, redisSlots } from "./redis-slot.ts";

// From the Redis cluster specification.
test("public vectors", () => {
  expect(crc16(new TextEncoder().encode("123456789"))).toBe(0x31c3);
  expect([redisSlot("foo"), redisSlot("user1000")]).toEqual([12_182, 3_443]);
});

test.each([
  ["{user1000}.following", "user1000"],
  ["{user1000}.followers", "user1000"],
  ["foo{bar}{zap}", "bar"],
  ["foo{{bar}}zap", "{bar"],
])("%s goes by its tag %s", (key, tag) => expect(redisSlot(key)).toBe(redisSlot(tag)));

test.each(["foo{}{bar}", "}{", "a}b{c", "{", "{}"])("%s has no tag", (key) => {
  expect(redisSlot(key)).toBe(crc16(new TextEncoder().encode(key)) % redisSlots);
});

test("every key has a slot, text as its bytes, and its tag decides alone", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (key) => {
      const slot = redisSlot(key);
      expect(slot >= 0 && slot < redisSlots).toBe(true);
      expect(redisSlot(new TextEncoder().encode(key))).toBe(slot);
      expect(redisSlot(`{tag}${key}`)).toBe(redisSlot("tag"));
    }),
  );
});
