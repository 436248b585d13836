import type { Random } from "../runtime/random.ts";

/**
 * The power of two choices: draws two different candidates at random and takes the one with less
 * load, ties to the first drawn. One host can win at most 2/n of the picks, whatever it pretends,
 * and callers with separate views do not herd. O(1). Mitzenmacher 2001.
 *
 * @param candidates not empty.
 */
export function twoChoices<T>(
  candidates: readonly T[],
  load: (candidate: T) => number,
  random: Pick<Random, "below">,
): T {
  const count = candidates.length;
  if (count === 1) return candidates[0] as T;
  const first = random.below(count);
  const draw = random.below(count - 1);
  const second = draw >= first ? draw + 1 : draw;
  const a = candidates[first] as T;
  const b = candidates[second] as T;
  return load(b) < load(a) ? b : a;
}
