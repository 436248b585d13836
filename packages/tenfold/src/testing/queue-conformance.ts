import type { Queue } from "../queueing/queue.ts";
import type { QueueLimits } from "../queueing/queue-limits.ts";
import { deliveryCases } from "./queue-delivery-cases.ts";
import { limitCases, type QueueRestartCase, restartCases } from "./queue-limit-cases.ts";
import type { QueueCase } from "./queue-steps.ts";
import { storingCases } from "./queue-storing-cases.ts";

export interface QueueConformanceOptions {
  /** An empty queue with these limits in place of the defaults. */
  open(limits?: Partial<QueueLimits>): Promise<Queue>;
  /** Ends the owner as a crash would, and opens what it left. Left out: nothing survives. */
  reopen?(queue: Queue): Promise<Queue>;
}

export interface QueueConformanceCase {
  readonly name: string;
  run(): Promise<void>;
}

/**
 * What every engine of the queue port must do, as cases for any test runner: run each, a case that
 * rejects has failed.
 */
export function queueConformance(
  options: QueueConformanceOptions,
): readonly QueueConformanceCase[] {
  const { open, reopen } = options;
  const plain = Object.entries({ ...storingCases, ...deliveryCases }).map(([name, body]) => ({
    name,
    run: () => withQueue(open(), body),
  }));
  const limited = Object.entries(limitCases).map(([name, { limits, body }]) => ({
    name,
    run: () => withQueue(open(limits), body),
  }));
  if (reopen === undefined) return [...plain, ...limited];
  const surviving = Object.entries(restartCases).map(([name, body]) => ({
    name,
    run: () => withQueue(open(), (queue) => restarted(queue, reopen, body)),
  }));
  return [...plain, ...limited, ...surviving];
}

async function withQueue(opening: Promise<Queue>, body: QueueCase): Promise<void> {
  const queue = await opening;
  try {
    await body(queue);
  } finally {
    await queue.close();
  }
}

async function restarted(
  queue: Queue,
  reopen: (queue: Queue) => Promise<Queue>,
  body: QueueRestartCase,
): Promise<void> {
  const opened: Queue[] = [];
  try {
    await body(queue, async () => {
      const next = await reopen(queue);
      opened.push(next);
      return next;
    });
  } finally {
    for (const next of opened) await next.close();
  }
}
