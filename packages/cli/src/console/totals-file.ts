import { errorText, type Log, type Storage } from "tenfold/runtime";

import type { GatewayReading, SavedTotals } from "./client-totals.ts";

/** The totals of one run of the fleet, kept over restarts of the console. */
export interface TotalsFile {
  /** What was saved under this run; undefined for another one, or when nothing can be read. */
  read(run: string | undefined): Promise<SavedTotals | undefined>;
  /** Writes when failures changed, or the last time is a while ago; skips while a write runs. */
  save(run: string, totals: SavedTotals, nowMs: number): void;
}

const fileName = "totals.json";
const everyMs = 5_000;

export function totalsFile(storage: Storage, log: Log): TotalsFile {
  let writing = false;
  let savedAtMs = Number.NEGATIVE_INFINITY;
  let savedFailed: number | undefined;
  return {
    async read(run) {
      const contents = await storage.read(fileName);
      const saved = contents && parsed(new TextDecoder().decode(contents));
      return saved && (run === undefined || saved.run === run) ? saved.totals : undefined;
    },
    save(run, totals, nowMs) {
      if (writing || (totals.failed === savedFailed && nowMs - savedAtMs < everyMs)) return;
      writing = true;
      savedAtMs = nowMs;
      savedFailed = totals.failed;
      storage
        .write(fileName, JSON.stringify({ run, totals }))
        // A full disk must not stop the console.
        .catch((error: unknown) => log.warn("totals not saved", { reason: errorText(error) }))
        .finally(() => {
          writing = false;
        });
    },
  };
}

function parsed(text: string): { run: unknown; totals: SavedTotals } | undefined {
  try {
    const { run, totals } = JSON.parse(text) as { run: unknown; totals: SavedTotals };
    const sound = isCount(totals) && totals.readings.every(isReading);
    return sound ? { run, totals } : undefined;
  } catch {
    // Written by another version, or by hand: counting begins anew.
    return undefined;
  }
}

function isCount(value: { requests: unknown; failed: unknown }): boolean {
  return Number.isSafeInteger(value.requests) && Number.isSafeInteger(value.failed);
}

function isReading(value: GatewayReading): boolean {
  return isCount(value) && typeof value.instance === "string";
}
