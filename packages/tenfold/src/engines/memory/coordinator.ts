import type {
  CallOptions,
  Coordinator,
  CoordinatorCapabilities,
  Session,
  SessionState,
  TransactionResult,
  WatchBatch,
} from "../../coordination/coordinator.ts";
import { checkKey, checkPrefix, checkTransaction } from "../../coordination/coordinator-input.ts";
import { createOrdered } from "../../coordination/create-ordered.ts";
import { notice } from "../../coordination/notice.ts";
import { storeGuard } from "../../coordination/store-guard.ts";
import { storeReplaced } from "../../coordination/store-replaced.ts";
import { watchBuffer } from "../../coordination/watch-buffer.ts";
import { abortError, TenfoldError } from "../../runtime/errors.ts";
import { numberOption } from "../../runtime/options.ts";
import { type Runtime, runtimeWith } from "../../runtime/runtime.ts";
import { type MemoryStore, memoryStore } from "./store.ts";

export interface MemoryCoordinatorOptions {
  /** Share one store to have several clients of one map; default a new one. */
  readonly store?: MemoryStore;
  readonly runtime?: Partial<Runtime>;
}

const capabilities: CoordinatorCapabilities = Object.freeze({
  durability: "none",
  historyWindow: false,
  keyBytesMax: 4_096,
  valueBytesMax: 1_048_576,
  minTtlMs: 1_000,
  operationsMax: 127,
  reads: ["linearizable", "stale"],
  tokensSurviveRestore: true,
} as const);

/**
 * A coordinator inside the process, for tests and for a service alone. Nothing is durable. A
 * session lives until it is closed or `store.endSession` ends it: who shares a process shares fate.
 * Its limits are those of etcd, so that what works here works there.
 */
export function createMemoryCoordinator(options: MemoryCoordinatorOptions = {}): Coordinator {
  const runtime = runtimeWith(options.runtime);
  const { clock } = runtime;
  const store = options.store ?? memoryStore();
  const stop = new AbortController();
  const sessions = new Set<Session>();
  const guard = storeGuard();

  const isAccepted = (): boolean => {
    const verdict = guard.see(store.sighting(), guard.revision);
    if (verdict === "raised") for (const { id } of sessions) store.endSession(id);
    return verdict !== "younger" && verdict !== "foreign";
  };
  /** Every call takes a turn of the event loop, as it would with a server. */
  const turn = async (call: CallOptions = {}): Promise<void> => {
    await Promise.resolve();
    if (call.signal?.aborted) throw abortError(call.signal);
    if (stop.signal.aborted) throw closedError();
    if (!isAccepted()) throw storeReplaced("younger", store.sighting(), guard);
  };
  const calls: Pick<Coordinator, "get" | "transact"> = {
    async get(key, call) {
      checkKey(key, capabilities);
      await turn(call);
      return store.get(key);
    },
    async transact(transaction, call): Promise<TransactionResult> {
      checkTransaction(transaction, capabilities);
      await turn(call);
      const result = store.transact(transaction);
      if (result === undefined) throw sessionLostError("of the transaction");
      if (result.outcome !== "indeterminate") guard.hear(result.revision);
      return result;
    },
  };

  return {
    capabilities,
    ...calls,
    async openSession({ ttlMs, atClose = "end", ...call }) {
      numberOption("ttlMs", ttlMs, { min: 1_000, max: 3_600_000 });
      await turn(call);
      const session = memorySession(store, () => clock.now() + ttlMs, atClose);
      sessions.add(session);
      session.signal.addEventListener("abort", () => sessions.delete(session), { once: true });
      return session;
    },
    async list(prefix, call) {
      checkPrefix(prefix, capabilities);
      await turn(call);
      return store.list(prefix);
    },
    createOrdered: (entry, call) => createOrdered(calls, entry, runtime, call),
    watch(prefix, { signal } = {}) {
      checkPrefix(prefix, capabilities);
      const until = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
      return watchStore(store, prefix, isAccepted, until);
    },
    async close() {
      stop.abort();
      await Promise.all([...sessions].map((session) => session.close()));
    },
  };
}

async function* watchStore(
  store: MemoryStore,
  prefix: string,
  isAccepted: () => boolean,
  until: AbortSignal,
): AsyncGenerator<WatchBatch> {
  if (until.aborted) return;
  const buffer = watchBuffer();
  const changed = notice();
  let generation: number | undefined;
  const end = store.onChange((changes) => {
    changed.notify();
    if (!isAccepted()) return;
    const now = store.sighting().generation;
    if (now !== generation) {
      generation = now;
      buffer.snapshot(store.list(prefix));
      return;
    }
    const ours = changes.filter((change) =>
      (change.kind === "put" ? change.entry.key : change.key).startsWith(prefix),
    );
    buffer.delta(ours);
  });
  try {
    while (!until.aborted) {
      if (generation === undefined && isAccepted()) {
        generation = store.sighting().generation;
        buffer.snapshot(store.list(prefix));
      }
      const batch = buffer.take();
      if (batch === undefined) await changed.wait(until);
      else yield batch;
    }
  } finally {
    changed.close();
    end();
  }
}

function memorySession(
  store: MemoryStore,
  validUntil: () => number,
  atClose: "end" | "leave",
): Session {
  const end = new AbortController();
  let state: SessionState = "active";
  const over = (to: SessionState): void => {
    if (state !== "active") return;
    state = to;
    end.abort(sessionLostError(id));
  };
  const id = store.openSession(() => over("lost"));
  return {
    id,
    get state() {
      return state;
    },
    get validUntil() {
      return state === "active" ? validUntil() : Number.NEGATIVE_INFINITY;
    },
    signal: end.signal,
    assertValid() {
      if (state !== "active") throw sessionLostError(id);
    },
    async close() {
      over("closed");
      if (atClose === "end") store.endSession(id);
    },
  };
}

function sessionLostError(id: string): TenfoldError {
  return new TenfoldError("TENFOLD_COORDINATION_SESSION_LOST", `The session ${id} has ended.`);
}

function closedError(): TenfoldError {
  return new TenfoldError("TENFOLD_COORDINATION_CLOSED", "The coordinator client was closed.");
}
