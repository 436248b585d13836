import type { FaultReason } from "../resilience/call-layer.ts";
import type { AttemptFailure } from "../resilience/retry.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import type { Registry } from "../telemetry/registry.ts";

/** What the calls to one service are counted by. */
export interface CallMetrics {
  picked(endpoint: string): void;
  tried(outcome: AttemptFailure | "answered" | "cancelled", tookMs: number): void;
  retried(reason: AttemptFailure): void;
  degraded(reason: FaultReason): void;
  failed(error: unknown): void;
}

const silent: CallMetrics = { picked() {}, tried() {}, retried() {}, degraded() {}, failed() {} };

/** Counters of a registry, bound to the service; without a registry nothing is counted. */
export function callMetrics(registry: Registry | undefined, service: string): CallMetrics {
  if (registry === undefined) return silent;
  const picks = registry.counter({
    name: "tenfold_discovery_picks_total",
    help: "Attempts by the endpoint that was chosen.",
    labels: ["service", "endpoint"],
  });
  const tries = registry.counter({
    name: "tenfold_discovery_tries_total",
    help: "Attempts by how far they came.",
    labels: ["service", "outcome"],
  });
  const retries = registry.counter({
    name: "tenfold_discovery_retries_total",
    help: "Attempts made again, by what became of the one before.",
    labels: ["service", "reason"],
  });
  const degraded = registry.counter({
    name: "tenfold_discovery_degraded_total",
    help: "Calls that a fail-back stood in for, by reason.",
    labels: ["service", "reason"],
  });
  const failures = registry.counter({
    name: "tenfold_discovery_failed_total",
    help: "Calls that ended without an answer, by error code.",
    labels: ["service", "code"],
  });
  const durations = registry
    .histogram({
      name: "tenfold_discovery_try_duration_seconds",
      help: "Time of one attempt until it was answered or given up.",
      labels: ["service"],
    })
    .with({ service });
  const pickOf = remembered((endpoint: string) => picks.with({ service, endpoint }));
  const tryOf = remembered((outcome: string) => tries.with({ service, outcome }));
  return {
    picked: (endpoint) => pickOf(endpoint).add(),
    tried(outcome, tookMs) {
      tryOf(outcome).add();
      durations.observe(tookMs / 1_000);
    },
    retried: (reason) => retries.with({ service, reason }).add(),
    degraded: (reason) => degraded.with({ service, reason }).add(),
    failed(error) {
      const code = isTenfoldError(error) ? error.code : "TENFOLD_INTERNAL";
      failures.with({ service, code }).add();
    },
  };
}

/** Looking a series up by its labels costs more than counting. */
function remembered<T>(make: (name: string) => T): (name: string) => T {
  const made = new Map<string, T>();
  return (name) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    if (made.size >= namesMax) made.clear();
    const value = make(name);
    made.set(name, value);
    return value;
  };
}

const namesMax = 1_000;
