import type { Storage } from "../runtime/storage.ts";
import { formatWorkerRecord, parseWorkerRecord } from "./worker-record-json.ts";
import type { StoredWorker, WorkerRecords } from "./worker-records.ts";

/**
 * Worker numbers on record in a folder, for processes of one machine: no coordinator is asked. Each
 * version of a record is a file of its own that is created exclusively and on disk before it
 * counts; so two processes never both succeed. Whose process has died is not known: a number is
 * free when the time that was reserved under it is past.
 *
 * @param folder inside the storage, used for nothing else.
 */
export function fileWorkerRecords(storage: Storage, folder = "worker-numbers"): WorkerRecords {
  /** Every version of every number that is there, newest first. */
  const versions = async (): Promise<Version[]> => {
    const names = await storage.list(folder);
    return names
      .map(versionOf)
      .filter((each) => each !== undefined)
      .sort(newestFirst);
  };
  const nameOf = ({ worker, version }: Omit<Version, "name">): string =>
    `${folder}/${worker}.${String(version).padStart(15, "0")}.json`;
  const newest = async (worker: number): Promise<StoredWorker | undefined> => {
    const version = (await versions()).find((each) => each.worker === worker);
    if (version === undefined) return undefined;
    const contents = await storage.read(`${folder}/${version.name}`);
    // It was replaced in between.
    if (contents === undefined) return newest(worker);
    return stored(version, contents);
  };

  return {
    async list() {
      const workers = new Set((await versions()).map(({ worker }) => worker));
      const all = await Promise.all([...workers].map(newest));
      return all.filter((each) => each !== undefined);
    },
    async replace({ worker, version: expected = 0n, record }) {
      const version = expected + 1n;
      const name = nameOf({ worker, version });
      const text = formatWorkerRecord(record);
      if (!(await storage.create(name, text))) {
        return { replaced: false, current: await newest(worker) };
      }
      // Who slept since it read may have made a version that others left behind long ago.
      const others = (await versions()).filter((each) => each.worker === worker);
      if ((others[0]?.version ?? 0n) > version) {
        await storage.remove(name);
        return { replaced: false, current: await newest(worker) };
      }
      for (const older of others.filter((each) => each.version < version)) {
        await storage.remove(`${folder}/${older.name}`);
      }
      return { replaced: true, version };
    },
  };
}

interface Version {
  readonly name: string;
  readonly worker: number;
  readonly version: bigint;
}

function versionOf(name: string): Version | undefined {
  const [, worker, version] = /^(\d{1,5})\.(\d{15,})\.json$/.exec(name) ?? [];
  if (worker === undefined || version === undefined) return undefined;
  return { name, worker: Number(worker), version: BigInt(version) };
}

function newestFirst(a: Version, b: Version): number {
  return a.version > b.version ? -1 : 1;
}

function stored({ name, worker, version }: Version, contents: Uint8Array): StoredWorker {
  const record = parseWorkerRecord(new TextDecoder().decode(contents), name);
  return { worker, version, record, held: false };
}
