import { readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../runtime/clock.ts";
import { TenfoldError } from "../../runtime/errors.ts";

const vacantPollMs = 50;
const vacantWaitMs = 5_000;

/**
 * Removes a postmaster.pid that a killed server left behind, when surely nothing of that server
 * lives. PostgreSQL itself trusts the number in the file, which may name a zombie or by now an
 * unrelated program. Every process of a server works in its data folder, so we look for those:
 * the children of a killed postmaster still write for some milliseconds.
 *
 * @returns the processes that still work in the folder; the file stays while there are any
 */
export function clearStalePid(data: string): readonly number[] {
  // Without /proc the server's own check has to do.
  if (process.platform !== "linux") return [];
  const holders = processesIn(data);
  if (holders.length === 0) rmSync(join(data, "postmaster.pid"), { force: true });
  return holders;
}

/** Waits up to 5 s for the folder to be free. @throws TENFOLD_POSTGRES_FOLDER_IN_USE */
export async function waitVacant(data: string, clock: Clock, signal?: AbortSignal): Promise<void> {
  const deadline = clock.now() + vacantWaitMs;
  for (;;) {
    const holders = clearStalePid(data);
    if (holders.length === 0) return;
    if (clock.now() > deadline) {
      throw new TenfoldError(
        "TENFOLD_POSTGRES_FOLDER_IN_USE",
        `A PostgreSQL server already runs on ${data} (processes ${holders.join(", ")}).`,
        { details: { holders } },
      );
    }
    await clock.sleep(vacantPollMs, { signal });
  }
}

function processesIn(folder: string): readonly number[] {
  const data = realpathOf(folder);
  if (data === undefined) return [];
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && worksIn(pid, data));
}

function worksIn(pid: number, data: string): boolean {
  try {
    // A zombie has no working folder any more, and other users' processes show none.
    return readlinkSync(`/proc/${pid}/cwd`) === data && isPostgres(pid);
  } catch {
    return false;
  }
}

/** A shell in which somebody looks around the data folder is no server. */
function isPostgres(pid: number): boolean {
  return readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("postgres");
}

function realpathOf(folder: string): string | undefined {
  try {
    return realpathSync(folder);
  } catch {
    return undefined;
  }
}
