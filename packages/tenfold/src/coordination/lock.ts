import type { Hold } from "./hold.ts";
import { type LineCoordinator, type LineOptions, takeTurn } from "./line.ts";

/**
 * Waits for a lock, first come first served. Who has it keeps it until `release` or the end of the
 * session; the caller releases it.
 *
 * @throws TENFOLD_DEADLINE_EXCEEDED after `timeoutMs` (retryable), TENFOLD_ABORTED by `signal`,
 *   TENFOLD_COORDINATION_SESSION_LOST, TENFOLD_COORDINATION_PLACE_LOST when somebody removed our
 *   entry while we waited, TENFOLD_OPTION_INVALID, and what the coordinator throws
 */
export function acquireLock(coordinator: LineCoordinator, options: LineOptions): Promise<Hold> {
  return takeTurn(coordinator, options, "lock");
}

/**
 * Runs `work` under a lock and releases it after it, whatever happens. When the lock is lost
 * meanwhile `lock.signal` aborts and guarded effects are refused, but `work` is not stopped: it has
 * to heed them.
 *
 * @throws what `acquireLock` and `work` throw
 */
export async function withLock<Result>(
  coordinator: LineCoordinator,
  options: LineOptions,
  work: (lock: Hold) => Promise<Result>,
): Promise<Result> {
  const lock = await acquireLock(coordinator, options);
  try {
    return await work(lock);
  } finally {
    await lock.release();
  }
}
