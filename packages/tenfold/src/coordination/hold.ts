import { isTenfoldError, TenfoldError } from "../runtime/errors.ts";
import { invalidOption } from "../runtime/options.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { backOff } from "./back-off.ts";
import type { Coordinator, CreatedEntry, Session } from "./coordinator.ts";
import type { FencingToken } from "./fencing-token.ts";

/** What a guard needs to know of a holder. */
export interface FenceClaim {
  /** What is held; every holder of it has the same: the folder of the line. */
  readonly name: string;
  /** Greater than the tokens of all who held it before. */
  readonly token: FencingToken;
  /** The holder's own entry in the coordinator. */
  readonly key: string;
  /** What the entry hangs on. */
  readonly session: Session;
}

/**
 * A resource that keeps late holders out: it remembers the greatest token that acted on it, beside
 * the data and changed together with them, and refuses a smaller one.
 */
export interface FenceGuard<Tool> {
  /**
   * Runs `work` with a tool whose effects come about only if no later holder acted before.
   * @throws TENFOLD_COORDINATION_FENCED, and what `work` throws
   */
  run<Result>(claim: FenceClaim, work: (tool: Tool) => Promise<Result>): Promise<Result>;
}

/** Why an effect does without a guard, for whoever reads the code and the log. */
export interface Unfenced {
  /** Such as "a second mail does no harm"; not blank. */
  readonly unfenced: string;
}

/**
 * A lock, or a term of office. By itself it is advice: a process may be frozen at any line and go
 * on when another holds it. What must happen under it alone goes through `effect`.
 */
export interface Hold extends FenceClaim {
  /** Aborts when the session is over, the hold is released, or a guard refused its token. */
  readonly signal: AbortSignal;
  /**
   * Call it after every await that is followed by something of consequence.
   * @throws TENFOLD_COORDINATION_SESSION_LOST, TENFOLD_COORDINATION_RELEASED,
   *   TENFOLD_COORDINATION_FENCED
   */
  assertValid(): void;
  /**
   * Does something that only the holder may do: through a guard, which hands its tool to `work`, or
   * without one for a reason that is written down; `work` then gets the hold's signal.
   *
   * @throws what `assertValid` throws, TENFOLD_COORDINATION_FENCED, TENFOLD_OPTION_INVALID for a
   *   blank reason, and what `work` throws
   */
  effect<Tool, Result>(
    guard: FenceGuard<Tool>,
    work: (tool: Tool) => Promise<Result>,
  ): Promise<Result>;
  effect<Result>(reason: Unfenced, work: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
  /**
   * Lets the next one in. Resolves when the entry is gone or the session is over, which ends it as
   * well. Idempotent, never throws.
   */
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface HoldParts {
  readonly coordinator: Pick<Coordinator, "transact">;
  readonly name: string;
  readonly entry: CreatedEntry;
  readonly session: Session;
  readonly runtime: Runtime;
}

/** The hold of whoever is first in a line. */
export function holdOf({ coordinator, name, entry, session, runtime }: HoldParts): Hold {
  const { key, token } = entry;
  const over = new AbortController();
  const signal = AbortSignal.any([session.signal, over.signal]);
  let released: Promise<void> | undefined;

  const assertValid = (): void => {
    if (over.signal.aborted) throw over.signal.reason;
    session.assertValid();
  };
  const release = (): Promise<void> => {
    if (!over.signal.aborted) over.abort(releasedError(name));
    released ??= leaveLine(coordinator, key, session, runtime);
    return released;
  };
  const throughGuard = async <Tool, Result>(
    guard: FenceGuard<Tool>,
    work: (tool: Tool) => Promise<Result>,
  ): Promise<Result> => {
    try {
      return await guard.run({ name, token, key, session }, work);
    } catch (error) {
      const isFenced = isTenfoldError(error, "TENFOLD_COORDINATION_FENCED");
      // Not when it is of another hold, whose effect stands within this one's.
      if (isFenced && error.details.token === token) over.abort(error);
      throw error;
    }
  };
  const withoutGuard = async <Result>(
    reason: string,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> => {
    if (typeof reason !== "string" || reason.trim() === "") {
      throw invalidOption("unfenced", "the reason why this effect needs no guard", reason);
    }
    try {
      return await work(signal);
    } finally {
      // The state is asked for besides: a timer that tells the signal may be late.
      const isOver = session.state === "lost" || signal.aborted;
      if (isOver) runtime.log.warn("an effect without a guard outlived its hold", { name, reason });
    }
  };
  const effect = async (
    guard: FenceGuard<unknown> | Unfenced,
    work: (tool: unknown) => Promise<unknown>,
  ): Promise<unknown> => {
    assertValid();
    return "unfenced" in guard
      ? await withoutGuard(guard.unfenced, work)
      : await throughGuard(guard, work);
  };
  return {
    name,
    token,
    key,
    session,
    signal,
    assertValid,
    effect: effect as Hold["effect"],
    release,
    [Symbol.asyncDispose]: release,
  };
}

/**
 * Takes an entry out of its line. Tries until it is gone: the session is the process's and may live
 * for days, and an entry left behind would keep everybody after it waiting.
 */
export async function leaveLine(
  coordinator: Pick<Coordinator, "transact">,
  key: string,
  session: Session,
  { clock, random, log }: Runtime,
): Promise<void> {
  const pause = backOff(random);
  const { signal } = session;
  while (!signal.aborted) {
    try {
      // Nobody else ever has this name: no condition is needed.
      const { outcome } = await coordinator.transact({ change: [{ delete: key }] }, { signal });
      if (outcome !== "indeterminate") return;
    } catch (error) {
      if (isTenfoldError(error, "TENFOLD_COORDINATION_CLOSED")) return;
      if (!signal.aborted) log.warn("leaving a line failed; it is tried again", { key, error });
    }
    await clock.sleep(pause.next(), { signal }).catch(() => {});
  }
}

function releasedError(name: string): TenfoldError {
  return new TenfoldError("TENFOLD_COORDINATION_RELEASED", `${name} was released by its holder.`);
}
