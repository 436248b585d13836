import { errorText, TenfoldError } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { backOff, backOffDefaults } from "./back-off.ts";
import type { Coordinator, Entry, ReadOptions, Session } from "./coordinator.ts";
import type { FencingToken } from "./fencing-token.ts";
import type { Hold } from "./hold.ts";
import { checkFolder, type LineCoordinator, type LineOptions, lineOf, takeTurn } from "./line.ts";

/** Who leads, as everybody sees it. */
export interface Leader {
  /** What it said of itself when it stood. */
  readonly value: string;
  /** Of its term: a later leader's is greater. */
  readonly token: FencingToken;
  readonly key: string;
}

/**
 * Stands for election and waits to lead; the term lasts until `release` (resigns) or the end of the
 * session. `options.value` is what others see of the leader.
 *
 * @throws as `acquireLock`
 */
export function campaign(coordinator: LineCoordinator, options: LineOptions): Promise<Hold> {
  return takeTurn(coordinator, options, "election");
}

/** Who leads now, or undefined. @throws what the coordinator throws */
export async function currentLeader(
  coordinator: Pick<Coordinator, "list">,
  prefix: string,
  options?: ReadOptions,
): Promise<Leader | undefined> {
  checkFolder(prefix);
  return leaderOf((await coordinator.list(prefix, options)).entries);
}

/** Who leads, the present one first, then at every change; undefined while nobody does. */
export async function* watchLeader(
  coordinator: Pick<Coordinator, "watch">,
  prefix: string,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<Leader | undefined> {
  checkFolder(prefix);
  const line = new Map<string, Entry>();
  let told: string | undefined | null = null;
  for await (const { changes } of coordinator.watch(prefix, options)) {
    for (const change of changes) {
      if (change.kind === "put") line.set(change.entry.key, change.entry);
      else line.delete(change.key);
    }
    const leader = leaderOf([...line.values()]);
    if (leader?.key === told) continue;
    told = leader?.key;
    yield leader;
  }
}

function leaderOf(entries: readonly Entry[]): Leader | undefined {
  const [first] = lineOf(entries);
  return first && { value: first.value, token: first.token, key: first.key };
}

export interface CandidateOptions {
  readonly coordinator: LineCoordinator;
  /** The folder of the election, ending in "/": `fleetKeys(fleet).election("health")`. */
  readonly prefix: string;
  /** The process's session now, another one after it was lost; may throw while there is none. */
  readonly session: () => Session;
  /** Who stands, for others to see. */
  readonly value: string;
  /**
   * Leads: called at the beginning of every term. It should end soon after `term.signal` aborts;
   * until it has, this process does not stand again. When it ends of itself, the term ends.
   */
  readonly lead: (term: Hold) => Promise<void>;
  readonly runtime?: Partial<Runtime>;
}

/** A process that stands for election as long as it lives. */
export interface Candidate {
  /** The term that it leads in now. */
  readonly term: Hold | undefined;
  /** Resigns, waits for `lead` to end, and stands no more. Idempotent, never throws. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Stands again after every loss, each time after a wait of random length, so that processes that
 * lost their leader together do not return together.
 */
export function createCandidate(options: CandidateOptions): Candidate {
  const { coordinator, prefix, value, lead } = options;
  checkFolder(prefix);
  const { clock, random, log } = runtimeWith(options.runtime);
  const stop = new AbortController();
  const pause = backOff(random);
  let term: Hold | undefined;
  /** Why it could not stand, as last told: an outage may last long. */
  let told: string | undefined;

  const serve = async (held: Hold): Promise<void> => {
    term = held;
    const resign = (): void => void held.release();
    stop.signal.addEventListener("abort", resign, { once: true });
    const since = clock.now();
    told = undefined;
    log.info("leads", { prefix, term: held.key });
    try {
      if (!stop.signal.aborted) await lead(held);
    } finally {
      term = undefined;
      stop.signal.removeEventListener("abort", resign);
      // Who fails at once each time must not take office again and again.
      if (clock.now() - since > backOffDefaults.mostMs) pause.reset();
      await held.release();
    }
  };
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        const session = options.session();
        const { runtime } = options;
        const standing = { prefix, session, value, signal: stop.signal };
        await serve(await campaign(coordinator, { ...standing, ...(runtime && { runtime }) }));
      } catch (error) {
        if (stop.signal.aborted) break;
        const reason = errorText(error);
        if (reason !== told) log.warn("stands for election again", { prefix, reason });
        told = reason;
      }
      await clock.sleep(pause.next(), { signal: stop.signal }).catch(() => {});
    }
  };
  const running = run();
  const close = async (): Promise<void> => {
    stop.abort(closedError());
    await running;
  };
  return {
    get term() {
      return term;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function closedError(): TenfoldError {
  return new TenfoldError("TENFOLD_ABORTED", "The candidate was closed by its owner.");
}
