import { murmur3 } from "../hashing/murmur3.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { invalidOption } from "../runtime/options.ts";
import type { PartitionKey } from "./key-map.ts";
import { invalidKey } from "./placement-error.ts";

export const slotDefaults: {
  readonly slots: number;
  /** What ids carry: fine enough for every later doubling up to it. */
  readonly carriedSlots: number;
} = Object.freeze({ slots: 1024, carriedSlots: 8192 });
export const slotLimits: { readonly slotsMax: number } = Object.freeze({ slotsMax: 16_384 });

/**
 * The slot of a key. Among half as many slots it is the same number without its last bit, so a slot
 * splits in two by doubling and its keys stay neighbours; an id that carries the slot of 8,192
 * tells the slot of 1,024 too. A number is hashed as its decimal text: `42n` and `"42"` share a
 * slot.
 *
 * @param slots a power of two, 1 … 16,384.
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_PARTITIONING_KEY_INVALID
 */
export function slotOf(key: PartitionKey, slots: number = slotDefaults.slots): number {
  return slotOfHash(hashOf(key), slotShift(slotCount(slots)));
}

/**
 * Among `slots` slots, the one that a slot of a finer division lies in: `slotAmong(8191, 8192,
 * 1024)` is 1023.
 *
 * @param slot 0 … of − 1
 * @param of how many slots it was counted among; at least `slots`.
 * @throws TENFOLD_PARTITIONING_SLOT_UNKNOWN, TENFOLD_OPTION_INVALID
 */
export function slotAmong(slot: number, of: number, slots: number): number {
  const shift = slotShift(slotCount(slots)) - slotShift(slotCount(of));
  if (shift < 0) throw invalidOption("slots", `at most ${of}, how fine the slot is`, slots);
  if (!Number.isInteger(slot) || slot < 0 || slot >= of) throw unknownSlot(slot, of);
  return slot >>> shift;
}

/** The number itself when there may be so many slots. @throws TENFOLD_OPTION_INVALID */
export function slotCount(slots: number): number {
  const fits = Number.isInteger(slots) && slots >= 1 && slots <= slotLimits.slotsMax;
  if (fits && (slots & (slots - 1)) === 0) return slots;
  throw invalidOption("slots", `a power of two from 1 to ${slotLimits.slotsMax}`, slots);
}

/** How many of the 14 bits of the finest division a slot of this division lacks. */
export function slotShift(slots: number): number {
  return Math.clz32(slots) - Math.clz32(slotLimits.slotsMax);
}

/**
 * The ten low bits of the hash lead and the next four follow: data is placed by the low ten, and
 * doubling from there must append a bit.
 */
export function slotOfHash(hash: number, shift: number): number {
  return (((hash & 0x3ff) << 4) | ((hash >>> 10) & 0xf)) >>> shift;
}

/** @throws TENFOLD_PARTITIONING_KEY_INVALID */
export function hashOf(key: PartitionKey): number {
  if (typeof key === "string") return murmur3(key);
  if (typeof key === "bigint") return murmur3(key.toString());
  if (key instanceof Uint8Array) return murmur3(key);
  throw invalidKey("a bigint, text or bytes", key);
}

export function unknownSlot(slot: number, slots: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_PARTITIONING_SLOT_UNKNOWN",
    `Slots go from 0 to ${slots - 1}, got ${slot}.`,
    { details: { slot, slots } },
  );
}
