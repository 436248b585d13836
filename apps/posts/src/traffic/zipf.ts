import { numberOption, type Random } from "tenfold/runtime";

/**
 * Draws 0 … count − 1 with probability proportional to 1 / (rank + 1)^exponent: a few users do most
 * of the writing. By a table of cumulative weights: O(log count) a draw.
 *
 * @param count 1 … 1,000,000
 * @param exponent 0 (all alike) … 3; 1 is what people do
 */
export function zipf(count: number, exponent: number, random: Random): () => number {
  numberOption("count", count, { min: 1, max: 1_000_000 });
  numberOption("exponent", exponent, { min: 0, max: 3, whole: false });
  const cumulative = new Float64Array(count);
  let total = 0;
  for (let rank = 0; rank < count; rank++) {
    total += 1 / (rank + 1) ** exponent;
    cumulative[rank] = total;
  }
  return () => {
    const wanted = random.next() * total;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulative[middle] as number) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
