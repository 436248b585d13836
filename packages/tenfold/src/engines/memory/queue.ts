import type { Queue } from "../../queueing/queue.ts";
import { QueueCore } from "../../queueing/queue-core.ts";
import { type QueueLimits, resolveQueueLimits } from "../../queueing/queue-limits.ts";
import { type QueueBatch, type QueueBatchResult, queueOn } from "../../queueing/queue-shell.ts";
import { type Runtime, runtimeWith } from "../../runtime/runtime.ts";
import { memoryQueueTable } from "./queue-table.ts";

export interface MemoryQueueOptions {
  readonly limits?: Partial<QueueLimits>;
  readonly runtime?: Partial<Runtime>;
}

/**
 * A queue on the heap: for tests, simulations and work that may be lost with its process.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN for limits
 */
export function createMemoryQueue(options: MemoryQueueOptions = {}): Queue {
  const limits = resolveQueueLimits(options.limits);
  const core = new QueueCore(memoryQueueTable(), limits);
  const run = async ({ requests, ...time }: QueueBatch): Promise<QueueBatchResult> => {
    const outcomes = requests.map((request) => core.apply(request, time));
    core.finish();
    return { outcomes, ...core.readiness() };
  };
  const executor = { run, close: async (): Promise<void> => {} };
  return queueOn(executor, runtimeWith(options.runtime).clock, limits);
}
