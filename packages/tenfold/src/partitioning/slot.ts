import { murmur3 } from "../hashing/murmur3.ts";
import { invalidOption } from "../runtime/options.ts";

export const slotDefaults: { readonly slots: number } = Object.freeze({ slots: 1024 });
export const slotLimits: { readonly slotsMax: number } = Object.freeze({ slotsMax: 16_384 });

/**
 * The slot of a key: the low bits of its murmur3. A number is hashed as its decimal text, so `42n`
 * and `"42"` share a slot. Doubling the slots moves a key from slot s to s or s + slots, nowhere
 * else.
 *
 * @param slots a power of two, 1 … 16,384; fixed for the life of the data.
 * @throws TENFOLD_OPTION_INVALID
 */
export function slotOf(key: bigint | string, slots: number = slotDefaults.slots): number {
  return murmur3(typeof key === "string" ? key : key.toString()) & (slotCount(slots) - 1);
}

/** The number itself when there may be so many slots. @throws TENFOLD_OPTION_INVALID */
export function slotCount(slots: number): number {
  const fits = Number.isInteger(slots) && slots >= 1 && slots <= slotLimits.slotsMax;
  if (fits && (slots & (slots - 1)) === 0) return slots;
  throw invalidOption("slots", `a power of two from 1 to ${slotLimits.slotsMax}`, slots);
}
