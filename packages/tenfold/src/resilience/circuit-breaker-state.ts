import { TenfoldError } from "../runtime/errors.ts";
import type { WindowPart } from "./call-window.ts";
import { windowParts } from "./call-window.ts";

/**
 * closed: calls go through. open: none does. halfOpen: a few probes do. ramping: a growing share
 * does, since a service that just came back may not bear them all. The forced ones: a person says.
 */
export type CircuitState =
  | "closed"
  | "open"
  | "halfOpen"
  | "ramping"
  | "forcedOpen"
  | "forcedClosed";

const circuitStates: readonly CircuitState[] = [
  "closed",
  "open",
  "halfOpen",
  "ramping",
  "forcedOpen",
  "forcedClosed",
];

/** What a circuit breaker knows, as JSON. Times are durations, so it holds in another process. */
export interface SavedCircuit {
  readonly format: 1;
  readonly state: CircuitState;
  /** Until the open time or the ramp ends. */
  readonly remainingMs: number;
  /** Times opened since it was last closed. */
  readonly trips: number;
  readonly consecutive: number;
  readonly window: readonly WindowPart[];
}

/** Larger counts than any window holds. */
const countMax = 1e9;

/** @throws TENFOLD_RESILIENCE_STATE_INVALID naming the field */
export function checkedCircuit(value: unknown): SavedCircuit {
  if (typeof value !== "object" || value === null) throw invalid("value", "an object", value);
  const saved = value as Partial<Record<keyof SavedCircuit, unknown>>;
  if (saved.format !== 1) throw invalid("format", "1", saved.format);
  if (!circuitStates.includes(saved.state as CircuitState)) {
    throw invalid("state", circuitStates.join(", "), saved.state);
  }
  for (const field of ["remainingMs", "trips", "consecutive"] as const) {
    if (!isCount(saved[field]))
      throw invalid(field, `a number from 0 to ${countMax}`, saved[field]);
  }
  const { window } = saved;
  if (!Array.isArray(window) || window.length > windowParts || !window.every(isPart)) {
    throw invalid("window", `at most ${windowParts} triples of counts`, window);
  }
  return value as SavedCircuit;
}

function isPart(part: unknown): boolean {
  if (!Array.isArray(part) || part.length !== 3 || !part.every(isCount)) return false;
  const [calls, failures, slow] = part as [number, number, number];
  return part.every(Number.isInteger) && failures <= calls && slow <= calls;
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= countMax;
}

function invalid(field: string, expected: string, value: unknown): TenfoldError {
  const came = (JSON.stringify(value) ?? "nothing").slice(0, 60);
  return new TenfoldError(
    "TENFOLD_RESILIENCE_STATE_INVALID",
    `The saved circuit's ${field} must be ${expected}, got ${came}.`,
    { details: { field } },
  );
}
