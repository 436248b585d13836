import type { Counter } from "../telemetry/metric.ts";
import type { Registry } from "../telemetry/registry.ts";
import type { Settlement } from "./queue.ts";

export interface WorkerMetrics {
  handled(settlements: readonly Settlement[]): void;
  refused(jobs: number): void;
}

export function workerMetrics(registry: Registry): WorkerMetrics {
  const counter = (name: string, help: string): Counter =>
    registry.counter({ name: `tenfold_queueing_jobs_${name}_total`, help });
  const results = {
    done: counter("done", "Jobs whose handler succeeded."),
    retry: counter("retried", "Jobs whose handler failed and that are tried again later."),
    dead: counter("dead", "Jobs that were given up."),
    release: counter("released", "Jobs that were given back untried while closing."),
  };
  const late = counter("refused", "Jobs that were settled after their lease had ended.");
  return {
    handled(settlements) {
      for (const { result } of settlements) results[result].add(1);
    },
    refused: (jobs) => late.add(jobs),
  };
}

export const noWorkerMetrics: WorkerMetrics = { handled() {}, refused() {} };
