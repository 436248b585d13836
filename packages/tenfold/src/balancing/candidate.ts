import { TenfoldError } from "../runtime/errors.ts";
import { shown } from "../runtime/options.ts";

/** What balancing reads of an endpoint: with another address, port or start it is a new one. */
export interface Candidate {
  /** The instance's name, stable over restarts: affinity by key hangs on it. */
  readonly id: string;
  /** Share of traffic relative to its peers: 0 takes no new calls, else 10⁻⁶ … 10⁶. */
  readonly weight: number;
  readonly zone?: string;
  readonly address?: string;
  readonly port?: number;
  readonly startedAtMs?: number;
}

const weightMin = 1e-6;
const weightMax = 1e6;

/** @throws TENFOLD_BALANCING_WEIGHT_INVALID */
export function checkWeight({ id, weight }: Candidate): void {
  const isNumber = typeof weight === "number";
  if (weight === 0 || (isNumber && weight >= weightMin && weight <= weightMax)) return;
  throw new TenfoldError(
    "TENFOLD_BALANCING_WEIGHT_INVALID",
    `The weight of ${id} must be 0 or a number from ${weightMin} to ${weightMax}, ` +
      `got ${shown(weight)}.`,
    { details: { endpoint: id } },
  );
}

/** The same process at the same place: what was learned of it still holds. */
export function isSameInstance(a: Candidate, b: Candidate): boolean {
  return a.address === b.address && a.port === b.port && a.startedAtMs === b.startedAtMs;
}
