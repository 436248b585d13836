/**
 * The value below which the share `q` of all observations lies, interpolated inside its bucket.
 * In the bucket without end it is that bucket's lower bound. O(buckets log buckets).
 * Source: Prometheus, `histogram_quantile`.
 *
 * @param buckets upper bound (Infinity for the last) to the number of observations up to it:
 * cumulative, one scrape or the difference of two
 * @param q 0 … 1
 * @returns undefined without observations
 */
export function quantileOfBuckets(
  buckets: ReadonlyMap<number, number>,
  q: number,
): number | undefined {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (!(total > 0)) return undefined;
  const rank = q * total;
  let lower = 0;
  let below = 0;
  for (const [bound, count] of sorted) {
    if (count >= rank && count > below) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return lower + ((bound - lower) * (rank - below)) / (count - below);
    }
    if (bound !== Number.POSITIVE_INFINITY) lower = bound;
    below = count;
  }
  return lower;
}

/** What came into each bucket between two scrapes of one process; a restarted one counts anew. */
export function bucketGrowth(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
): Map<number, number> {
  const restarted = [...after].some(([bound, count]) => count < (before.get(bound) ?? 0));
  if (restarted) return new Map(after);
  return new Map([...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]));
}
