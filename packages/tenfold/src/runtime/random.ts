/** Randomness as code may see it. Not for secrets: those come from `node:crypto`. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A uniform whole number in [0, limit); `limit` is 1 … 2^32. */
  below(limit: number): number;
  /**
   * A stream of its own for one component: drawing from it does not shift any other stream, and
   * the same seed and label give the same draws.
   */
  fork(label: string): Random;
}

/**
 * Seeded generator: sfc32 (Doty-Humphrey, PractRand), about 2 ns a draw, period ≥ 2^32, for tests
 * and simulations. The same seed gives the same sequence on every platform.
 *
 * @param seed any text; hashed with FNV-1a.
 */
export function seededRandom(seed: string): Random {
  let a = fnv1a(seed);
  let b = a ^ 0x9e3779b9;
  let c = a ^ 0x243f6a88;
  let counter = 1;
  const next32 = (): number => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next32();
  return fromNext(
    () => next32() / 0x1_0000_0000,
    (label) => seededRandom(`${seed}/${label}`),
  );
}

/** The platform's generator, for production. */
export const systemRandom: Random = fromNext(Math.random, () => systemRandom);

function fromNext(next: () => number, fork: (label: string) => Random): Random {
  return { next, fork, below: (limit) => Math.floor(next() * limit) };
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
