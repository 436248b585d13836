import {
  backOff,
  backOffDefaults,
  type Coordinator,
  claimNumber,
  fleetKeys,
  type NumberClaim,
  type Session,
} from "tenfold/coordination";
import { type IdGenerator, snowflake } from "tenfold/identifiers";
import { errorText, type Runtime } from "tenfold/runtime";

import { AppError } from "../app-error.ts";

export interface WorkerIdsOptions {
  readonly fleet: string;
  readonly coordinator: Coordinator;
  /** The process's session now; another one after it was lost. */
  readonly session: () => Session;
  readonly runtime: Pick<Runtime, "clock" | "random" | "log">;
  /** Where the ids' time begins; default Twitter's epoch. */
  readonly epochMs?: number;
}

/** Snowflake ids under a worker number that this process alone holds. */
export interface WorkerIds extends AsyncDisposable {
  /**
   * The next id.
   * @throws POSTS_GUID_NO_WORKER while no number is held; TENFOLD_IDENTIFIERS_AHEAD. Both pass.
   */
  next(): bigint;
  /** The number, or undefined while it is being claimed. */
  readonly worker: number | undefined;
  /** Gives the number up once nobody after us can repeat our time. Idempotent. */
  close(): Promise<void>;
}

const retryAfterMs = backOffDefaults.mostMs;

interface Held {
  readonly claim: NumberClaim;
  readonly session: Session;
  readonly generator: IdGenerator;
}

/**
 * Claims the lowest free number through the session, again whenever the session was lost.
 *
 * Why no two holders of one number make the same id. Let v be the moment up to which the old
 * holder's session surely lived. Its ids carry times before v: `next` bounds them by v as its wall
 * clock shows it, rounded down. The coordinator ends the session at v or later and only then gives
 * the number away, and the new holder's ids begin with its wall clock after that. Both clocks are
 * one host's clock, so the times do not overlap, however late a timer or a process comes; a holder
 * that gives its number up earlier than v first waits until its last time is past.
 *
 * Not covered between two processes: a wall clock that was set back since the old holder's last
 * id by more than the time since, and hosts whose clocks differ by more than that. Within one
 * process even this is: its generators carry on from one another, and refuse while far ahead.
 */
export function createWorkerIds(options: WorkerIdsOptions): WorkerIds {
  const { coordinator, epochMs, fleet, runtime } = options;
  const { clock, log } = runtime;
  const stop = new AbortController();
  const pause = backOff(runtime.random);
  let held: Held | undefined;
  let lastMs: number | undefined;

  const claimOnce = async (): Promise<Held> => {
    const session = options.session();
    session.assertValid();
    const claim = await claimNumber(coordinator, {
      prefix: fleetKeys(fleet).numbers("snowflake"),
      count: 1024,
      session,
      runtime,
    });
    const generator = snowflake({
      worker: claim.number,
      ...(epochMs === undefined ? {} : { epochMs }),
      ...(lastMs === undefined ? {} : { afterMs: lastMs }),
    });
    return { claim, session, generator };
  };
  const keepClaimed = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        held = await claimOnce();
        pause.reset();
        log.info("worker number claimed", { worker: held.claim.number });
        await aborted(AbortSignal.any([held.session.signal, stop.signal]));
        if (stop.signal.aborted) return;
        log.warn("worker number lost with its session", { worker: held.claim.number });
        held = undefined;
      } catch (error) {
        log.warn("no worker number yet", { reason: errorText(error) });
        await clock.sleep(pause.next(), { signal: stop.signal }).catch(() => {});
      }
    }
  };
  const keeping = keepClaimed();

  const close = async (): Promise<void> => {
    stop.abort();
    await keeping;
    const last = held;
    held = undefined;
    if (last === undefined) return;
    await untilPast(last, clock);
    await last.claim.release();
  };
  let closed: Promise<void> | undefined;
  const closeOnce = (): Promise<void> => {
    closed ??= close();
    return closed;
  };
  return {
    next() {
      if (held === undefined) throw noWorker();
      // The time first, its validity after it: the process may stand still between any two lines.
      const wallMs = clock.wallNow();
      assertValid(held.session);
      const remainingMs = held.session.validUntil - clock.now();
      const id = held.generator.next(wallMs, Math.floor(wallMs + remainingMs));
      lastMs = held.generator.lastMs;
      return id;
    },
    get worker() {
      return held?.claim.number;
    },
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  };
}

/** Until the last id's time is past, or the session has ended, which lies after every id's time. */
async function untilPast({ generator, session }: Held, clock: Runtime["clock"]): Promise<void> {
  const { lastMs } = generator;
  if (lastMs === undefined) return;
  while (clock.wallNow() <= lastMs && clock.now() < session.validUntil) await clock.sleep(1);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The session may be over by the clock before its signal says so. */
function assertValid(session: Session): void {
  try {
    session.assertValid();
  } catch (cause) {
    throw noWorker(cause);
  }
}

function noWorker(cause?: unknown): AppError {
  return new AppError(
    "POSTS_GUID_NO_WORKER",
    "This process is claiming a worker number; try again shortly or at another instance.",
    { retryAfterMs, cause },
  );
}
