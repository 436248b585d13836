import type { Settlement } from "./queue.ts";

/** The one method of a metrics registry that a worker calls. */
export interface CounterSource {
  counter(options: { readonly name: string; readonly help: string }): { add(by: number): void };
}

export interface WorkerMetrics {
  handled(settlements: readonly Settlement[]): void;
  refused(jobs: number): void;
}

export function workerMetrics(source: CounterSource): WorkerMetrics {
  const counter = (name: string, help: string): { add(by: number): void } =>
    source.counter({ name: `tenfold_queueing_jobs_${name}_total`, help });
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
