import { mkdirSync, readdirSync } from "node:fs";

import { generationKey, nextGeneration, parseGeneration } from "../../coordination/generation.ts";
import { errorReason, TenfoldError } from "../../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../../runtime/runtime.ts";
import { writeJournal } from "./journal.ts";
import type { JournalState } from "./journal-state.ts";
import { keyText } from "./key-range.ts";
import { keyStore } from "./key-store.ts";
import { logFolder } from "./log-folder.ts";
import { decodeSnapshot } from "./snapshot.ts";

export interface RestoreOptions {
  /** What `tenfold coordinator snapshot` or `etcdctl snapshot save` wrote. */
  readonly snapshot: Uint8Array;
  /** Empty, or not there yet. */
  readonly dataFolder: string;
  readonly runtime?: Pick<Runtime, "clock">;
}

/**
 * Makes a data folder from a snapshot, in a later generation: clients that saw the store when it
 * was newer accept it, no fencing token goes back, and every watch begins with a snapshot.
 *
 * @throws TENFOLD_COORDINATOR_NODE_SNAPSHOT_INVALID, TENFOLD_COORDINATOR_NODE_FOLDER_NOT_EMPTY,
 *   TENFOLD_COORDINATOR_NODE_STORAGE_FAILED
 */
export async function restoreCoordinatorNode(
  options: RestoreOptions,
): Promise<{ readonly revision: bigint; readonly generation: number; readonly keys: number }> {
  const { snapshot, dataFolder } = options;
  const { clock } = runtimeWith(options.runtime);
  const { state, generation } = raised(decodeSnapshot(snapshot), clock.wallNow());
  try {
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
    const [first] = readdirSync(dataFolder);
    if (first !== undefined) throw notEmpty(dataFolder, first);
    await writeJournal(logFolder(dataFolder), state);
  } catch (error) {
    if (error instanceof TenfoldError) throw error;
    throw new TenfoldError(
      "TENFOLD_COORDINATOR_NODE_STORAGE_FAILED",
      `Writing into ${dataFolder} failed: ${errorReason(error)}`,
      { cause: error },
    );
  }
  return { revision: state.revision, generation, keys: state.entries.length };
}

/** The state with one more revision, in which its generation is raised, and nothing before it. */
function raised(
  state: JournalState,
  wallMs: number,
): { readonly state: JournalState; readonly generation: number } {
  // One entry more than the limits that the node had is no reason to refuse its data.
  const all = Number.POSITIVE_INFINITY;
  const limits = { keysMax: all, dataBytesMax: all, keyBytesMax: all, valueBytesMax: all };
  const store = keyStore(state, limits);
  const key = Buffer.from(generationKey);
  const stored = store.get(keyText(key));
  const old = parseGeneration(stored && Buffer.from(stored.value).toString());
  const generation = nextGeneration(old, wallMs);
  const write = store.begin();
  write.apply({ put: key, value: Buffer.from(String(generation)), lease: 0n });
  const revised = write.end();
  const { revision } = store;
  const entries = store.range({ start: "", end: undefined });
  const last = revised === undefined ? [] : [revised];
  return { state: { ...state, revision, compacted: revision, entries, revised: last }, generation };
}

function notEmpty(folder: string, first: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATOR_NODE_FOLDER_NOT_EMPTY",
    `${folder} holds ${first} and perhaps more; a snapshot is restored into an empty folder.`,
    { details: { folder } },
  );
}
