import { TenfoldError } from "../runtime/errors.ts";
import { shown } from "../runtime/options.ts";
import type { SavedEjection } from "./ejection.ts";

/** What one endpoint showed, and which instance that was. */
export interface SavedEndpoint {
  readonly id: string;
  readonly address?: string;
  readonly port?: number;
  readonly startedAtMs?: number;
  readonly latencyMs?: number;
  readonly health: SavedEjection;
}

/** What a balancer has learned, as JSON. */
export interface BalancerState {
  readonly version: 1;
  readonly endpoints: readonly SavedEndpoint[];
}

/** @throws TENFOLD_BALANCING_STATE_INVALID */
export function checkBalancerState(state: unknown): BalancerState {
  const { version, endpoints } = objectOf(state, "the state");
  if (version !== 1) throw invalid("version", "1", version);
  if (!Array.isArray(endpoints)) throw invalid("endpoints", "a list", endpoints);
  for (const each of endpoints) checkEndpoint(objectOf(each, "an endpoint"));
  return state as BalancerState;
}

function checkEndpoint({ id, latencyMs, health }: Readonly<Record<string, unknown>>): void {
  if (typeof id !== "string") throw invalid("id", "text", id);
  if (latencyMs !== undefined) checkNumber("latencyMs", latencyMs, 2 ** 53);
  const { ejected, ...counts } = objectOf(health, "health");
  if (typeof ejected !== "boolean") throw invalid("ejected", "true or false", ejected);
  // One that is out without a failure would never be asked whether it is well again.
  checkNumber("failures", counts.failures, 2 ** 53, ejected ? 1 : 0);
  checkNumber("successesOwed", counts.successesOwed, 100);
  checkNumber("probes", counts.probes, 2 ** 53);
  checkNumber("probeInMs", counts.probeInMs, 2 ** 53);
}

function checkNumber(name: string, value: unknown, max: number, min = 0): void {
  if (typeof value === "number" && value >= min && value <= max) return;
  throw invalid(name, `a number from ${min} to ${max}`, value);
}

function objectOf(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw invalid(name, "an object", value);
  return value as Readonly<Record<string, unknown>>;
}

function invalid(name: string, expected: string, value: unknown): TenfoldError {
  return new TenfoldError(
    "TENFOLD_BALANCING_STATE_INVALID",
    `${name} of a balancer's state must be ${expected}, got ${shown(value)}.`,
    { details: { field: name } },
  );
}
