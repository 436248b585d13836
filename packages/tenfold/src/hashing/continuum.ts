import { tooMany } from "./hash-node.ts";

/**
 * The circle of 32-bit hashes: sorted points, each with its owner. A look-up reads where the
 * points that begin with the hash's top bits start and goes on from there: there are as many starts
 * as points, so it takes O(1) on average, where a binary search takes a dozen mispredicted jumps.
 */
export interface Continuum {
  readonly size: number;
  /** Ascending; one more than `size`: the last is the greatest hash and stops the search. */
  readonly points: Uint32Array;
  /** One more than `size`: beyond the last point the first one's owner follows. */
  readonly owners: Uint16Array;
  readonly starts: Uint32Array;
  readonly shift: number;
}

/** Points of one owner. */
export interface PointSource {
  readonly owner: number;
  readonly count: number;
  /** Writes `count` points from this index on. */
  write(points: Uint32Array, from: number): void;
}

export const continuumLimits: { readonly pointsMax: number; readonly pointsPerStep: number } =
  Object.freeze({ pointsMax: 8_388_608, pointsPerStep: 16_384 });

/** The index of the first point at or after the hash; `size` stands for the first point again. */
export function positionOf(continuum: Continuum, hash: number): number {
  const { points, starts, shift } = continuum;
  let at = starts[hash >>> shift] as number;
  while ((points[at] as number) < hash) at++;
  return at;
}

/** The owner of a hash. */
export function ownerOf(continuum: Continuum, hash: number): number {
  return continuum.owners[positionOf(continuum, hash)] as number;
}

/** Each owner's exact share of all hashes. O(points). */
export function ownerShares(continuum: Continuum, owners: number): Float64Array {
  const shares = new Float64Array(owners);
  const { points, size } = continuum;
  let before = (points[size - 1] as number) - 0x1_0000_0000;
  for (let at = 0; at < size; at++) {
    const owner = continuum.owners[at] as number;
    const point = points[at] as number;
    shares[owner] = (shares[owner] as number) + (point - before) / 0x1_0000_0000;
    before = point;
  }
  return shares;
}

/**
 * Builds a circle in steps of bounded work, so that the caller can let others run in between: a
 * counting sort by the top bits, which makes the starts at the same time. Of equal points the one
 * of the earlier source comes first. O(points).
 *
 * @throws TENFOLD_HASHING_TOO_MANY
 */
export function* continuumSteps(
  sources: readonly PointSource[],
): Generator<undefined, Continuum, undefined> {
  const size = sources.reduce((sum, { count }) => sum + count, 0);
  const { pointsMax, pointsPerStep } = continuumLimits;
  if (size > pointsMax) throw tooMany("points", pointsMax, size);
  const bits = Math.max(1, 32 - Math.clz32(size - 1));
  const shift = 32 - bits;
  const drawn = new Uint32Array(size);
  const drawnOwners = new Uint16Array(size);
  let written = 0;
  let due = pointsPerStep;
  for (const { owner, count, write } of sources) {
    write(drawn, written);
    drawnOwners.fill(owner, written, written + count);
    written += count;
    if (written < due) continue;
    due = written + pointsPerStep;
    yield;
  }
  const points = new Uint32Array(size + 1);
  const owners = new Uint16Array(size + 1);
  // While sorting, the start of bucket b stands at b + 1 and moves up to that of b + 1.
  const starts = new Uint32Array((1 << bits) + 2);
  const passes: readonly [length: number, pass: (from: number, to: number) => void][] = [
    [size, (from, to) => countBuckets(drawn, starts, shift, from, to)],
    [starts.length, (from, to) => addUp(starts, Math.max(1, from), to)],
    [
      size,
      (from, to) => {
        for (let i = from; i < to; i++) {
          const point = drawn[i] as number;
          const bucket = (point >>> shift) + 1;
          const at = starts[bucket] as number;
          starts[bucket] = at + 1;
          points[at] = point;
          owners[at] = drawnOwners[i] as number;
        }
      },
    ],
    [
      1 << bits,
      (from, to) => {
        for (let bucket = from; bucket < to; bucket++) {
          sort(points, owners, starts[bucket] as number, starts[bucket + 1] as number);
        }
      },
    ],
  ];
  for (const [length, pass] of passes) {
    for (let from = 0; from < length; from += pointsPerStep) {
      pass(from, Math.min(length, from + pointsPerStep));
      yield;
    }
  }
  points[size] = 0xffff_ffff;
  owners[size] = owners[0] as number;
  return { size, points, owners, starts, shift };
}

/** All steps at once. */
export function allSteps<T>(steps: Generator<undefined, T, undefined>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

function countBuckets(
  drawn: Uint32Array,
  starts: Uint32Array,
  shift: number,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const at = ((drawn[i] as number) >>> shift) + 2;
    starts[at] = (starts[at] as number) + 1;
  }
}

function addUp(starts: Uint32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    starts[i] = (starts[i] as number) + (starts[i - 1] as number);
  }
}

/** Insertion sort, stable: a bucket holds one point on average. */
function sort(points: Uint32Array, owners: Uint16Array, from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    const point = points[i] as number;
    const owner = owners[i] as number;
    let at = i;
    for (; at > from && (points[at - 1] as number) > point; at--) {
      points[at] = points[at - 1] as number;
      owners[at] = owners[at - 1] as number;
    }
    points[at] = point;
    owners[at] = owner;
  }
}
