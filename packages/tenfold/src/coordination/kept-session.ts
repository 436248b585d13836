import { abortError, errorText, TenfoldError } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { backOff } from "./back-off.ts";
import {
  type Coordinator,
  coordinatorDefaults,
  type Session,
  type SessionOptions,
} from "./coordinator.ts";

export interface KeptSessionOptions extends Pick<SessionOptions, "atClose"> {
  /** 1,000 … 3,600,000; default `coordinatorDefaults.sessionTtlMs`. */
  readonly ttlMs?: number;
  readonly runtime?: Partial<Runtime>;
}

/** A session for the life of the process: when one is lost, another is opened. */
export interface KeptSession {
  /** The session that now lives (active or suspended), or undefined between two. */
  readonly current: Session | undefined;
  /** The living session; waits for one when there is none. Rejects when aborted or closed. */
  opened(options?: { readonly signal?: AbortSignal | undefined }): Promise<Session>;
  /**
   * Calls the listener with every session that is opened, the current one at once. Whatever hung on
   * the session before is gone by then and must be made again.
   * @returns stops the calls
   */
  onOpen(listener: (session: Session) => void): () => void;
  /** Closes the session; what becomes of its entries says `atClose`. Idempotent, never throws. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens a session and keeps one open, with jittered waits between attempts. */
export function createKeptSession(
  coordinator: Pick<Coordinator, "openSession">,
  options: KeptSessionOptions = {},
): KeptSession {
  const { clock, random, log } = runtimeWith(options.runtime);
  const { ttlMs = coordinatorDefaults.sessionTtlMs, atClose } = options;
  const listeners = new Set<(session: Session) => void>();
  const stop = new AbortController();
  const pause = backOff(random);
  let current: Session | undefined;

  const tell = (listener: (session: Session) => void, session: Session): void => {
    try {
      listener(session);
    } catch (error) {
      log.error("a listener of a session failed", { error });
    }
  };
  const keepOne = async (): Promise<void> => {
    const session = await coordinator.openSession({ ttlMs, atClose, signal: stop.signal });
    if (stop.signal.aborted) return await session.close();
    pause.reset();
    current = session;
    for (const listener of [...listeners]) tell(listener, session);
    await aborted(session.signal);
    if (stop.signal.aborted) return;
    current = undefined;
    log.warn("lost the session with the coordinator", { session: session.id });
  };
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await keepOne().catch((error: unknown) => {
        if (!stop.signal.aborted) log.warn("opening a session failed", { error: errorText(error) });
      });
      await clock.sleep(pause.next(), { signal: stop.signal }).catch(() => {});
    }
  };
  const running = run();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= (async () => {
      stop.abort(closedError());
      const last = current;
      current = undefined;
      await last?.close();
      await running;
    })();
    return closed;
  };

  return {
    get current() {
      return current;
    },
    opened({ signal } = {}) {
      if (current !== undefined) return Promise.resolve(current);
      const until = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
      return new Promise((resolve, reject) => {
        const done = (session?: Session): void => {
          listeners.delete(done);
          until.removeEventListener("abort", onAbort);
          if (session === undefined) reject(abortError(until));
          else resolve(session);
        };
        const onAbort = (): void => done();
        listeners.add(done);
        if (until.aborted) done();
        else until.addEventListener("abort", onAbort, { once: true });
      });
    },
    onOpen(listener) {
      listeners.add(listener);
      if (current !== undefined) tell(listener, current);
      return () => void listeners.delete(listener);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function closedError(): TenfoldError {
  return new TenfoldError("TENFOLD_COORDINATION_CLOSED", "The kept session was closed.");
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
