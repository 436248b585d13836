import { abortError, TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Coordinator, Entry, Session } from "./coordinator.ts";
import { type Hold, holdOf, leaveLine } from "./hold.ts";
import { insist } from "./insist.ts";

export interface LineOptions {
  /** The folder that the line stands in: `fleetKeys(fleet).lock("billing")`. It ends in "/". */
  readonly prefix: string;
  /** The process's session: many holds share it and end with it. */
  readonly session: Session;
  /** Who waits or holds, for people: up to 1,000 characters. Default empty. */
  readonly value?: string;
  /** How long to wait for the turn: 1 … 2^31−1, 0 to take it only if it is free. Default: ever. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly runtime?: Partial<Runtime>;
}

export type LineCoordinator = Pick<Coordinator, "createOrdered" | "list" | "transact" | "watch">;

/**
 * Stands in line and waits to be first. Each who waits watches the one before it alone, so an end
 * wakes one process, not all (ZooKeeper's lock recipe). Order is the server's.
 *
 * @throws TENFOLD_DEADLINE_EXCEEDED, TENFOLD_ABORTED, TENFOLD_COORDINATION_SESSION_LOST,
 *   TENFOLD_COORDINATION_PLACE_LOST, and what the coordinator throws
 */
export async function takeTurn(
  coordinator: LineCoordinator,
  options: LineOptions,
  what: string,
): Promise<Hold> {
  const { prefix, session, value = "" } = checked(options);
  const runtime = runtimeWith(options.runtime);
  session.assertValid();
  const late = new AbortController();
  const given = options.signal === undefined ? [] : [options.signal];
  const until = AbortSignal.any([session.signal, late.signal, ...given]);
  if (until.aborted) throw abortError(until);
  const entry = await coordinator.createOrdered({ prefix, value, session }, { signal: until });
  const { timeoutMs } = options;
  const timer = timeoutMs
    ? runtime.clock.setTimer(timeoutMs, () => late.abort(tooLate(what, prefix, timeoutMs)))
    : undefined;
  try {
    await untilFirst(coordinator, { prefix, key: entry.key, session, until, timeoutMs, runtime });
    session.assertValid();
    return holdOf({ coordinator, name: prefix, entry, session, runtime });
  } catch (error) {
    void leaveLine(coordinator, entry.key, session, runtime);
    if (error === tryFailed) throw tooLate(what, prefix, 0);
    throw until.aborted ? abortError(until) : error;
  } finally {
    timer?.cancel();
  }
}

/** Stands for "it is not free" while nobody wants to wait. */
const tryFailed = new Error("not free");

interface Waiting {
  readonly prefix: string;
  readonly key: string;
  readonly session: Session;
  readonly until: AbortSignal;
  readonly timeoutMs: number | undefined;
  readonly runtime: Runtime;
}

async function untilFirst(coordinator: LineCoordinator, waiting: Waiting): Promise<void> {
  const { prefix, key, session, until, timeoutMs, runtime } = waiting;
  // Whether the coordinator's absence costs the place is for the session to say.
  const read = () => insist(() => coordinator.list(prefix, { signal: until }), until, runtime);
  for (;;) {
    const line = lineOf((await read()).entries);
    const place = line.findIndex((entry) => entry.key === key);
    // After a wait above all: the one before may have gone because all of them were removed.
    if (line[place]?.sessionId !== session.id) throw placeLost(prefix);
    const before = line[place - 1];
    if (before === undefined) return;
    if (timeoutMs === 0) throw tryFailed;
    await untilGone(coordinator, before, until);
  }
}

/** The entries of a line, first come first. */
export function lineOf(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
}

/** Resolves when the entry is no longer there. */
export async function untilGone(
  coordinator: Pick<Coordinator, "watch">,
  { key }: Entry,
  signal: AbortSignal,
): Promise<void> {
  for await (const { kind, entries, changes } of coordinator.watch(key, { signal })) {
    // Names in a line are unique, so nothing else begins with this one, and none comes back.
    if (kind === "snapshot" && entries.length === 0) return;
    if (changes.some((change) => change.kind === "delete")) return;
  }
  if (signal.aborted) throw abortError(signal);
  const message = "The coordinator client was closed while we waited in line.";
  throw new TenfoldError("TENFOLD_COORDINATION_CLOSED", message);
}

function checked(options: LineOptions): LineOptions {
  const { prefix, timeoutMs, value = "" } = options;
  checkFolder(prefix);
  if (timeoutMs !== undefined) numberOption("timeoutMs", timeoutMs, { min: 0, max: 2 ** 31 - 1 });
  numberOption("the length of value", value.length, { min: 0, max: 1_000 });
  return options;
}

/** Without the slash, "jobs" would share its line with "jobs2". @throws TENFOLD_OPTION_INVALID */
export function checkFolder(prefix: string): void {
  if (prefix.endsWith("/") && prefix.length > 1) return;
  throw new TenfoldError(
    "TENFOLD_OPTION_INVALID",
    `prefix must be a folder that ends in "/", got ${JSON.stringify(prefix.slice(0, 100))}.`,
    { details: { option: "prefix" } },
  );
}

function tooLate(what: string, prefix: string, timeoutMs: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_DEADLINE_EXCEEDED",
    `The ${what} ${prefix} was not had within ${timeoutMs} ms: another holds it.`,
    { retryable: true, details: { prefix, timeoutMs } },
  );
}

function placeLost(prefix: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATION_PLACE_LOST",
    `Our entry under ${prefix} was removed by somebody else while we waited.`,
    { retryable: true, details: { prefix } },
  );
}
