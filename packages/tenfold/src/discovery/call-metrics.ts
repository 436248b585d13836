import type { AttemptFailure } from "../resilience/retry.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import type { Registry } from "../telemetry/registry.ts";

/** What the calls to one service are counted by. */
export interface CallMetrics {
  picked(endpoint: string): void;
  tried(outcome: AttemptFailure | "answered" | "cancelled", tookMs: number): void;
  retried(reason: AttemptFailure): void;
  failed(error: unknown): void;
}

const silent: CallMetrics = { picked() {}, tried() {}, retried() {}, failed() {} };

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
  return {
    picked: (endpoint) => picks.with({ service, endpoint }).add(),
    tried(outcome, tookMs) {
      tries.with({ service, outcome }).add();
      durations.observe(tookMs / 1_000);
    },
    retried: (reason) => retries.with({ service, reason }).add(),
    failed(error) {
      const code = isTenfoldError(error) ? error.code : "TENFOLD_INTERNAL";
      failures.with({ service, code }).add();
    },
  };
}
