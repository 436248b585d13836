import { formatWorkerRecord, parseWorkerRecord } from "../identifiers/worker-record-json.ts";
import type {
  StoredWorker,
  WorkerRecords,
  WorkerReplaced,
  WorkerReplacement,
} from "../identifiers/worker-records.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type { CallOptions, Change, Condition, Coordinator, Entry, Session } from "./coordinator.ts";
import { generationKey, parseGeneration } from "./generation.ts";

export interface CoordinatorWorkerRecordsOptions {
  /** Where the records stand, ending in "/": `fleetKeys(fleet).numbers("snowflake")`. */
  readonly prefix: string;
  /** The process's session now, another one after it was lost; may throw while there is none. */
  readonly session: () => Session;
}

/**
 * Worker numbers on record in the coordinator. A number has two entries: `7/window`, which stays
 * for ever and is changed by compare-and-set alone, and `7/holder`, which lives with its holder's
 * session and only tells others to take another number.
 */
export function coordinatorWorkerRecords(
  coordinator: Pick<Coordinator, "get" | "list" | "transact">,
  { prefix, session }: CoordinatorWorkerRecordsOptions,
): WorkerRecords {
  const windowKey = (worker: number): string => `${prefix}${worker}/window`;
  const holderKey = (worker: number): string => `${prefix}${worker}/holder`;
  /** By number the session that our holder entry hangs on. */
  const heldBy = new Map<number, string>();

  /** The session to hang the holder's entry on, when that is not done yet. */
  const sessionToHang = ({ worker, purpose }: WorkerReplacement): Session | undefined => {
    if (purpose === "claim") return session();
    const living = livingSession(session);
    return living?.id === heldBy.get(worker) ? undefined : living;
  };
  const outcomeOf = async (
    { worker, version, purpose }: WorkerReplacement,
    change: readonly Change[],
    value: string,
    options?: CallOptions,
  ): Promise<WorkerReplaced> => {
    const key = windowKey(worker);
    const when: Condition[] = [
      version === undefined ? { key, is: "absent" } : { key, revision: version },
    ];
    if (purpose === "claim") when.push({ key: holderKey(worker), is: "absent" });
    const result = await coordinator.transact({ when, change, otherwiseRead: [key] }, options);
    if (result.outcome === "applied") return { replaced: true, version: result.revision };
    if (result.outcome === "refused") {
      const [entry] = result.reads;
      return { replaced: false, current: entry && storedOf(entry, worker, true) };
    }
    const entry = await coordinator.get(key, options);
    if (entry?.value === value) return { replaced: true, version: entry.revision };
    const message = `The coordinator's answer about the worker number ${worker} was lost.`;
    const { cause } = result;
    throw new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", message, { retryable: true, cause });
  };

  return {
    async list(options) {
      const { entries } = await coordinator.list(prefix, options);
      const keys = new Set(entries.map(({ key }) => key));
      return entries.flatMap((entry) => {
        const [, digits] = /^(\d{1,5})\/window$/.exec(entry.key.slice(prefix.length)) ?? [];
        if (digits === undefined) return [];
        const worker = Number(digits);
        return [storedOf(entry, worker, keys.has(holderKey(worker)))];
      });
    },
    async replace(replacement, options) {
      const { worker, record, purpose } = replacement;
      const value = formatWorkerRecord(record);
      const change: Change[] = [{ put: windowKey(worker), value }];
      const hang = purpose === "release" ? undefined : sessionToHang(replacement);
      if (purpose === "release") change.push({ delete: holderKey(worker) });
      if (hang) change.push({ put: holderKey(worker), value: record.owner, session: hang });
      const outcome = await outcomeOf(replacement, change, value, options);
      if (outcome.replaced && hang) heldBy.set(worker, hang.id);
      return outcome;
    },
    async restoredAtMs(options) {
      const entry = await coordinator.get(generationKey, options);
      // Whoever puts a backup back raises it to the seconds of that moment, which is rounded up.
      const generation = parseGeneration(entry?.value);
      return generation === 0 ? 0 : (generation + 1) * 1_000;
    },
  };
}

function livingSession(session: () => Session): Session | undefined {
  try {
    const living = session();
    return living.signal.aborted ? undefined : living;
  } catch {
    // The number stays ours by its record; the next reservation hangs it on a session again.
    return undefined;
  }
}

function storedOf({ key, value, revision }: Entry, worker: number, held: boolean): StoredWorker {
  return { worker, record: parseWorkerRecord(value, key), version: revision, held };
}
