import { TenfoldError } from "../runtime/errors.ts";
import { numberOption, shown } from "../runtime/options.ts";

/**
 * The numbers of a saved state, which is of format 1.
 *
 * @param what it is the state of. @param most of each number; the least is 0.
 * @throws TENFOLD_RESILIENCE_STATE_INVALID naming the field
 */
export function savedNumbers<F extends string>(
  what: string,
  value: unknown,
  most: Readonly<Record<F, number>>,
): Readonly<Record<F, number>> {
  if (typeof value !== "object" || value === null) {
    throw invalidState(what, "value", "an object", value);
  }
  const saved = value as Readonly<Record<string, unknown>>;
  if (saved.format !== 1) throw invalidState(what, "format", "1", saved.format);
  for (const [field, max] of Object.entries<number>(most)) {
    if (isSavedNumber(saved[field], max)) continue;
    throw invalidState(what, field, `a number from 0 to ${max}`, saved[field]);
  }
  return saved as Readonly<Record<F, number>>;
}

export function isSavedNumber(value: unknown, max: number): value is number {
  return typeof value === "number" && value >= 0 && value <= max;
}

export function invalidState(
  what: string,
  field: string,
  expected: string,
  value: unknown,
): TenfoldError {
  return new TenfoldError(
    "TENFOLD_RESILIENCE_STATE_INVALID",
    `The saved ${what}'s ${field} must be ${expected}, got ${shown(value, 60)}.`,
    { details: { field } },
  );
}

/** Time between `save` and `restore`. @throws TENFOLD_OPTION_INVALID */
export function checkedAwayMs(awayMs: number): number {
  return numberOption("awayMs", awayMs, { min: 0, max: Number.MAX_SAFE_INTEGER, whole: false });
}
