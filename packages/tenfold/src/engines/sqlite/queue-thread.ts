import { parentPort, workerData } from "node:worker_threads";

import { QueueCore, type QueueOutcome, type QueueRequest } from "../../queueing/queue-core.ts";
import type { QueueLimits } from "../../queueing/queue-limits.ts";
import type { QueueBatch, QueueBatchResult } from "../../queueing/queue-shell.ts";
import type { ErrorCode } from "../../runtime/error-codes.ts";
import { errorText, isTenfoldError } from "../../runtime/errors.ts";
import { openQueueFile, sqliteFailure } from "./queue-file.ts";
import { sqliteQueueTable } from "./queue-table.ts";

/** What the thread says: once that the file is open, then once for each batch. */
export type ThreadAnswer =
  | { readonly opened: true }
  | { readonly result: QueueBatchResult }
  | { readonly failed: ThreadFailure };

export interface ThreadFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
}

export interface ThreadData {
  readonly file: string;
  readonly limits: QueueLimits;
}

/** Requests that change nothing are answered even when the disk takes no more. */
const reads: ReadonlySet<QueueRequest["operation"]> = new Set(["pending", "completed", "stats"]);

/** SQLite blocks its thread while a commit waits for the disk, so it has one of its own. */
function serve({ file, limits }: ThreadData): void {
  const port = parentPort;
  if (port === null) throw new Error("queue-thread must be started as a worker thread");
  const answer = (given: ThreadAnswer): void => port.postMessage(given);
  try {
    const database = openQueueFile(file);
    const core = new QueueCore(sqliteQueueTable(database), limits);

    const commit = (batch: QueueBatch): QueueOutcome[] => {
      database.exec("BEGIN IMMEDIATE");
      try {
        const outcomes = batch.requests.map((request) => core.apply(request, batch));
        core.finish();
        database.exec("COMMIT");
        return outcomes;
      } catch (error) {
        // SQLite rolls back by itself after some errors, a full disk among them.
        if (database.isTransaction) database.exec("ROLLBACK");
        core.reload();
        throw error;
      }
    };
    const run = (batch: QueueBatch): QueueOutcome[] => {
      try {
        return commit(batch);
      } catch (error) {
        const refused = { error: failure(sqliteFailure(error, file)) };
        return batch.requests.map((request) =>
          reads.has(request.operation) ? core.apply(request, batch) : refused,
        );
      }
    };

    port.on("message", (batch: QueueBatch | "close") => {
      if (batch === "close") {
        database.close();
        port.close();
        return;
      }
      try {
        answer({ result: { outcomes: run(batch), ...core.readiness() } });
      } catch (error) {
        answer({ failed: failure(sqliteFailure(error, file)) });
      }
    });
    answer({ opened: true });
  } catch (error) {
    answer({ failed: failure(error) });
    port.close();
  }
}

function failure(error: unknown): ThreadFailure {
  if (isTenfoldError(error)) {
    const { code, message, retryable, retryAfterMs } = error;
    return { code, message, retryable, retryAfterMs };
  }
  const message = `The queue's thread failed: ${errorText(error)}`;
  return { code: "TENFOLD_INTERNAL", message, retryable: false, retryAfterMs: undefined };
}

serve(workerData as ThreadData);
