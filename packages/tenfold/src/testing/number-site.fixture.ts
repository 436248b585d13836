import type { Session } from "../coordination/coordinator.ts";
import { coordinatorWorkerRecords } from "../coordination/worker-records.ts";
import { createMemoryCoordinator, memoryStore } from "../engines/memory/index.ts";
import { fileWorkerRecords } from "../identifiers/file-worker-records.ts";
import type { WorkerRecords } from "../identifiers/worker-records.ts";
import type { Storage } from "../runtime/storage.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";

export const prefix = "/test/numbers/";

export type Clock = ReturnType<typeof virtualClock>;
export interface Site {
  readonly clock: Clock;
  /** Records for one more process, and what ends its session and gives it another. */
  join(): Promise<{ records: WorkerRecords; loseSession(): Promise<void> }>;
}

/** A coordinator that several processes share. */
export function coordinatorSite(): Site {
  const clock = virtualClock({ wallStartMs: Date.UTC(2026, 0, 1) });
  const store = memoryStore();
  return {
    clock,
    async join() {
      const coordinator = createMemoryCoordinator({ store, runtime: { clock } });
      let session: Session = await coordinator.openSession({ ttlMs: 6_000 });
      const records = coordinatorWorkerRecords(coordinator, { prefix, session: () => session });
      const loseSession = async (): Promise<void> => {
        store.endSession(session.id);
        session = await coordinator.openSession({ ttlMs: 6_000 });
      };
      return { records, loseSession };
    },
  };
}

/** A folder that several processes share. */
export function fileSite(): Site {
  const clock = virtualClock({ wallStartMs: Date.UTC(2026, 0, 1) });
  const storage = memoryStorage();
  const join = async () => ({ records: fileWorkerRecords(storage), loseSession: async () => {} });
  return { clock, join };
}

export function memoryStorage(): Storage & { readonly files: Map<string, string> } {
  const files = new Map<string, string>();
  return {
    files,
    async read(name) {
      const text = files.get(name);
      return text === undefined ? undefined : new TextEncoder().encode(text);
    },
    async write(name, contents) {
      files.set(name, String(contents));
    },
    async create(name, contents) {
      if (files.has(name)) return false;
      files.set(name, String(contents));
      return true;
    },
    async remove(name) {
      files.delete(name);
    },
    async list(folder) {
      const names = [...files.keys()].filter((name) => name.startsWith(`${folder}/`));
      return names.map((name) => name.slice(folder.length + 1)).sort();
    },
  };
}
