import type { ErrorCode } from "./error-codes.ts";
import { TenfoldError } from "./errors.ts";

/**
 * Refuses keys that an options object does not know.
 * @throws TENFOLD_OPTION_UNKNOWN naming the key and what exists.
 */
export function refuseUnknownKeys(
  where: string,
  value: object,
  known: readonly string[],
  code: ErrorCode = "TENFOLD_OPTION_UNKNOWN",
): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    throw new TenfoldError(code, `${where} has no "${key}". It knows: ${known.join(", ")}.`, {
      details: { where, key },
    });
  }
}

export interface NumberRange {
  readonly min: number;
  readonly max: number;
  /** Only whole numbers? Default true. */
  readonly whole?: boolean;
}

/**
 * The number itself when it lies in the range.
 * @throws TENFOLD_OPTION_INVALID with the name, the range and what came.
 */
export function numberOption(name: string, value: unknown, range: NumberRange): number {
  const { min, max, whole = true } = range;
  const fits =
    typeof value === "number" &&
    value >= min &&
    value <= max &&
    (!whole || Number.isInteger(value));
  if (fits) return value;
  const kind = whole ? "a whole number" : "a number";
  throw invalidOption(name, `${kind} from ${min} to ${max}`, value);
}

/** The error for an option of the wrong kind: what was expected, what came. */
export function invalidOption(name: string, expected: string, value: unknown): TenfoldError {
  return new TenfoldError(
    "TENFOLD_OPTION_INVALID",
    `${name} must be ${expected}, got ${shown(value)}.`,
    { details: { option: name } },
  );
}

/** What came, for a message. An object may not be made text: its `toString` can be anything. */
export function shown(value: unknown, charactersMax = 100): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, charactersMax));
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value).slice(0, charactersMax);
}
