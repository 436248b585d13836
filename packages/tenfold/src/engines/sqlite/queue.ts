import { Worker } from "node:worker_threads";

import type { Queue } from "../../queueing/queue.ts";
import { type QueueLimits, resolveQueueLimits } from "../../queueing/queue-limits.ts";
import {
  type QueueBatch,
  type QueueBatchResult,
  type QueueExecutor,
  queueOn,
} from "../../queueing/queue-shell.ts";
import { TenfoldError } from "../../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../../runtime/runtime.ts";
import type { ThreadAnswer, ThreadData, ThreadFailure } from "./queue-thread.ts";

export interface SqliteQueueOptions {
  /** Made when missing, on a local disk: SQLite's locks do not hold on network disks. */
  readonly file: string;
  readonly limits?: Partial<QueueLimits>;
  readonly runtime?: Partial<Runtime>;
}

/**
 * A durable queue in one SQLite file with one owner: this process, until `close` or its death.
 * An answer is given after the commit that holds it was synced to the disk; calls that wait for the
 * disk share the next commit. Works on Node 22.13 and later (`node:sqlite`).
 *
 * @throws TENFOLD_QUEUEING_FILE_LOCKED when another process owns the file,
 *   TENFOLD_QUEUEING_FILE_UNSUPPORTED when it is no queue or of an unknown version,
 *   TENFOLD_QUEUEING_STORAGE_FAILED when it cannot be opened,
 *   TENFOLD_OPTION_INVALID and TENFOLD_OPTION_UNKNOWN for limits
 */
export async function createSqliteQueue(options: SqliteQueueOptions): Promise<Queue> {
  const limits = resolveQueueLimits(options.limits);
  const { clock } = runtimeWith(options.runtime);
  const data = { file: options.file, limits };
  let thread = await startThread(data);
  const executor: QueueExecutor = {
    async run(batch) {
      // A thread that died (out of memory) left a committed file behind: the next one goes on.
      if (thread.ended) thread = await startThread(data);
      return await thread.run(batch);
    },
    close: () => thread.close(),
  };
  return queueOn(executor, clock, limits);
}

// The compiler does not rewrite the extension inside `new URL`: it is that of this file.
const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const threadFile = new URL(`./queue-thread.${extension}`, import.meta.url);

interface QueueThread extends QueueExecutor {
  readonly ended: boolean;
}

/** One batch at a time: that is what the shell sends. */
async function startThread(data: ThreadData): Promise<QueueThread> {
  // Without the program's own flags: some, like --input-type, are refused for a file.
  const options = { workerData: data, name: "tenfold-queue", execArgv: [] };
  const thread = new Worker(threadFile, options);
  let ended: TenfoldError | undefined;
  let settle: { resolve(answer: ThreadAnswer): void; reject(error: unknown): void } | undefined;

  thread.on("message", (answer: ThreadAnswer) => settle?.resolve(answer));
  const exited = new Promise<void>((resolve) => {
    const onEnd = (cause: unknown): void => {
      ended ??= new TenfoldError("TENFOLD_QUEUEING_UNAVAILABLE", "The queue's thread ended.", {
        retryable: true,
        cause,
      });
      settle?.reject(ended);
      resolve();
    };
    thread.once("error", onEnd);
    thread.once("exit", onEnd);
  });
  const answerTo = async (send: () => void): Promise<ThreadAnswer> => {
    if (ended !== undefined) throw ended;
    const answer = await new Promise<ThreadAnswer>((resolve, reject) => {
      settle = { resolve, reject };
      send();
    });
    if ("failed" in answer) throw failureError(answer.failed);
    return answer;
  };

  await answerTo(() => {});
  return {
    get ended() {
      return ended !== undefined;
    },
    async run(batch: QueueBatch): Promise<QueueBatchResult> {
      const answer = await answerTo(() => thread.postMessage(batch));
      if ("result" in answer) return answer.result;
      throw new TenfoldError("TENFOLD_INTERNAL", "The queue's thread answered out of turn.");
    },
    async close(): Promise<void> {
      thread.postMessage("close");
      await exited;
    },
  };
}

function failureError({ code, message, retryable, retryAfterMs }: ThreadFailure): TenfoldError {
  const after = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new TenfoldError(code, message, { retryable, ...after });
}
