import type {
  CallOptions,
  Coordinator,
  Session,
  SessionState,
  TransactionResult,
  WatchBatch,
} from "../../coordination/coordinator.ts";
import { notice } from "../../coordination/notice.ts";
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

/**
 * A coordinator inside the process, for tests and for a service alone. Nothing is durable. A
 * session lives until it is closed or `store.endSession` ends it: who shares a process shares fate.
 */
export function createMemoryCoordinator(options: MemoryCoordinatorOptions = {}): Coordinator {
  const { clock } = runtimeWith(options.runtime);
  const store = options.store ?? memoryStore();
  const stop = new AbortController();
  const sessions = new Set<Session>();

  /** Every call takes a turn of the event loop, as it would with a server. */
  const turn = async (call: CallOptions = {}): Promise<void> => {
    await Promise.resolve();
    if (call.signal?.aborted) throw abortError(call.signal);
    if (stop.signal.aborted) throw closedError();
  };

  return {
    async openSession({ ttlMs, ...call }) {
      numberOption("ttlMs", ttlMs, { min: 1_000, max: 3_600_000 });
      await turn(call);
      const session = memorySession(store, () => clock.now() + ttlMs);
      sessions.add(session);
      session.signal.addEventListener("abort", () => sessions.delete(session), { once: true });
      return session;
    },
    async get(key, call) {
      await turn(call);
      return store.get(key);
    },
    async list(prefix, call) {
      await turn(call);
      return store.list(prefix);
    },
    async transact(transaction, call): Promise<TransactionResult> {
      await turn(call);
      const result = store.transact(transaction);
      if (result === undefined) throw sessionLostError("of the transaction");
      return result;
    },
    async *watch(prefix, { signal } = {}): AsyncGenerator<WatchBatch> {
      const until = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
      if (until.aborted) return;
      const buffer = watchBuffer();
      const changed = notice();
      const end = store.onChange((changes) => {
        const ours = changes.filter((change) =>
          (change.kind === "put" ? change.entry.key : change.key).startsWith(prefix),
        );
        buffer.delta(ours);
        changed.notify();
      });
      try {
        buffer.snapshot(store.list(prefix));
        while (!until.aborted) {
          const batch = buffer.take();
          if (batch === undefined) await changed.wait(until);
          else yield batch;
        }
      } finally {
        end();
      }
    },
    async close() {
      stop.abort();
      await Promise.all([...sessions].map((session) => session.close()));
    },
  };
}

function memorySession(store: MemoryStore, validUntil: () => number): Session {
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
      store.endSession(id);
    },
  };
}

function sessionLostError(id: string): TenfoldError {
  return new TenfoldError("TENFOLD_COORDINATION_SESSION_LOST", `The session ${id} has ended.`);
}

function closedError(): TenfoldError {
  return new TenfoldError("TENFOLD_COORDINATION_CLOSED", "The coordinator client was closed.");
}
