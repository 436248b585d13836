/** What a figure must be for the claim to hold. */
export type Goal =
  | { readonly atMost: number }
  | { readonly atLeast: number }
  | { readonly equals: number };

/** Does the value meet the goal? A value that is no number meets none. */
export function goalHolds(value: number, goal: Goal | undefined): boolean {
  if (goal === undefined) return true;
  if ("atMost" in goal) return value <= goal.atMost;
  if ("atLeast" in goal) return value >= goal.atLeast;
  return value === goal.equals;
}

/** `at most 1200`. */
export function goalText(goal: Goal): string {
  if ("atMost" in goal) return `at most ${formatNumber(goal.atMost)}`;
  if ("atLeast" in goal) return `at least ${formatNumber(goal.atLeast)}`;
  return `exactly ${formatNumber(goal.equals)}`;
}

/** For people: thousands apart, no more digits than the size of the number deserves. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "no number";
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}
