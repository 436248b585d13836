import { type WindowPart, windowParts } from "./call-window.ts";
import { invalidState, isSavedNumber, savedNumbers } from "./saved-state.ts";

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
  const most = { remainingMs: countMax, trips: countMax, consecutive: countMax };
  savedNumbers("circuit", value, most);
  const { state, window } = value as Partial<Record<keyof SavedCircuit, unknown>>;
  if (!circuitStates.includes(state as CircuitState)) {
    throw invalidState("circuit", "state", circuitStates.join(", "), state);
  }
  if (!Array.isArray(window) || window.length > windowParts || !window.every(isPart)) {
    throw invalidState("circuit", "window", `at most ${windowParts} triples of counts`, window);
  }
  return value as SavedCircuit;
}

function isPart(part: unknown): boolean {
  if (!Array.isArray(part) || part.length !== 3 || !part.every(isCount)) return false;
  const [calls, failures, slow] = part as [number, number, number];
  return part.every(Number.isInteger) && failures <= calls && slow <= calls;
}

function isCount(value: unknown): boolean {
  return isSavedNumber(value, countMax);
}
