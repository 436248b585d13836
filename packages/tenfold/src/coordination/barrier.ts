import { abortError, TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { runtimeWith } from "../runtime/runtime.ts";
import type { Coordinator } from "./coordinator.ts";
import { leaveLine } from "./hold.ts";
import { change, insist } from "./insist.ts";
import { checkFolder, type LineCoordinator, type LineOptions, lineOf, untilGone } from "./line.ts";

export interface BarrierOptions extends Omit<LineOptions, "timeoutMs"> {
  /** A folder for this one use, ending in "/". */
  readonly prefix: string;
  /** How many must be there: 1 … 10,000. */
  readonly count: number;
}

/** One of those who passed a barrier together. */
export interface BarrierPassage {
  /**
   * Says that this one is done, and waits until all who are still there have said so or died.
   * @throws TENFOLD_ABORTED, TENFOLD_COORDINATION_SESSION_LOST, and what the coordinator throws
   */
  leave(options?: { readonly signal?: AbortSignal }): Promise<void>;
}

/**
 * A double barrier: nobody goes on before `count` have come, and, with `leave`, nobody is through
 * before all are done. Who waits watches one entry, which the last to come writes. One folder is
 * one meeting: another one needs another folder.
 *
 * @throws TENFOLD_ABORTED, TENFOLD_COORDINATION_SESSION_LOST, TENFOLD_OPTION_INVALID, and what the
 *   coordinator throws
 */
export async function enterBarrier(
  coordinator: LineCoordinator,
  options: BarrierOptions,
): Promise<BarrierPassage> {
  const { prefix, session, value = "" } = options;
  checkFolder(prefix);
  const count = numberOption("count", options.count, { min: 1, max: 10_000 });
  const runtime = runtimeWith(options.runtime);
  const [inside, open] = [`${prefix}in/`, `${prefix}open`];
  const until = untilOver(session.signal, options.signal);
  const call = { signal: until };
  session.assertValid();
  const { key } = await coordinator.createOrdered({ prefix: inside, value, session }, call);
  const enter = async (): Promise<void> => {
    const { entries } = await coordinator.list(inside, call);
    if (entries.length < count) return;
    await change(coordinator, [{ put: open, value: String(count) }], call);
  };
  try {
    // The last to come, by the server's order, sees all; whoever sees all opens.
    await insist(enter, until, runtime);
    await untilPresent(coordinator, open, until);
    session.assertValid();
  } catch (error) {
    void leaveLine(coordinator, key, session, runtime);
    throw until.aborted ? abortError(until) : error;
  }
  return {
    async leave({ signal } = {}) {
      const over = untilOver(session.signal, signal);
      await leaveLine(coordinator, key, session, runtime);
      await insist(() => untilEmpty(coordinator, inside, over), over, runtime);
      // Many may do so; the entry has no use any more.
      await insist(() => change(coordinator, [{ delete: open }], { signal: over }), over, runtime);
    },
  };
}

function untilOver(session: AbortSignal, given: AbortSignal | undefined): AbortSignal {
  return given === undefined ? session : AbortSignal.any([session, given]);
}

/** Each waits for the last of those who are still inside, so few ask again when one leaves. */
async function untilEmpty(
  coordinator: Pick<Coordinator, "list" | "watch">,
  inside: string,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const last = lineOf((await coordinator.list(inside, { signal })).entries).at(-1);
    if (last === undefined) return;
    await untilGone(coordinator, last, signal);
  }
}

async function untilPresent(
  coordinator: Pick<Coordinator, "watch">,
  key: string,
  signal: AbortSignal,
): Promise<void> {
  for await (const { changes } of coordinator.watch(key, { signal })) {
    if (changes.some((change) => change.kind === "put" && change.entry.key === key)) return;
  }
  if (signal.aborted) throw abortError(signal);
  const message = "The coordinator client was closed while we waited at a barrier.";
  throw new TenfoldError("TENFOLD_COORDINATION_CLOSED", message);
}
