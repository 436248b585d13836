import assert from "node:assert/strict";

import type {
  Coordinator,
  Entry,
  Revision,
  Session,
  TransactionResult,
  WatchBatch,
} from "../coordination/coordinator.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import type { ClientProcess, ClientProcessOptions } from "./client-process.ts";
import type { FaultProxies } from "./fault-proxies.ts";
import { type WatchFault, type WrittenRevision, watchFaults } from "./watch-validators.ts";

/** Servers of a quorum, by number. */
export interface QuorumControl {
  readonly count: number;
  /** SIGKILL. */
  kill(server: number): Promise<void>;
  /** Starts it on its data, and waits until it serves. */
  start(server: number): Promise<void>;
  /** Which one leads; undefined while none does. */
  leader(): Promise<number | undefined>;
}

/** What a case works with; clients and processes that it starts are ended after it. */
export interface CoordinatorGround {
  /** Keys of this case alone; ends in "/". */
  readonly prefix: string;
  /** The shortest time to live that the servers grant. */
  readonly ttlMs: number;
  /** What `eventually` waits for one thing. */
  readonly patienceMs: number;
  /** How many sessions expire at once. */
  readonly sessions: number;
  /** A new client that reaches the servers directly. */
  connect(): Promise<Coordinator>;
  /** A new client behind the proxy. */
  connectThroughProxy(): Promise<Coordinator>;
  /** Before every server; of this case alone. */
  readonly proxy: FaultProxies;
  /** A client in a process of its own, directly or through the proxy. */
  startProcess(
    options?: ClientProcessOptions & { readonly isBehindProxy?: boolean },
  ): Promise<ClientProcess>;
  /** Ends the servers as a crash would and starts them on the same data. */
  restart(): Promise<void>;
  /** Makes the servers forget how their present state came about. */
  compact(): Promise<void>;
  /** Stops the servers' processes, and lets them go on. */
  readonly freeze: { pause(): void; resume(): void };
  readonly quorum: QuorumControl;
  /** Copies the data, and puts the copy back in the place of what came after it. */
  readonly backup: { take(): Promise<void>; restore(): Promise<void> };
  /** Waits until the check holds. */
  eventually(what: string, check: () => boolean | Promise<boolean>): Promise<void>;
  /** Keeps the map of a watch and checks what every watch promises. */
  follow(client: Coordinator, prefix: string): Promise<FollowedMap>;
  /** The followed map and a fresh listing become the same. */
  agree(followed: FollowedMap, client: Coordinator): Promise<void>;
}

export type CoordinatorNeed =
  | "addresses"
  | "restart"
  | "compact"
  | "freeze"
  | "quorum"
  | "backup"
  | "clientProcess"
  | "fakeClock";

export interface CoordinatorCase {
  /** Which of the twenty properties it shows; others show what the port says besides. */
  readonly property?: number;
  readonly needs?: readonly CoordinatorNeed[];
  /** Does something to the servers that cases running beside it would notice. */
  readonly isAlone?: boolean;
  run(ground: CoordinatorGround): Promise<void>;
}

export type CoordinatorCases = Readonly<Record<string, CoordinatorCase>>;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until the check holds; by default long enough for a slow machine. */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
  patienceMs = 40_000,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await check())) {
    assert.ok(performance.now() < deadline, `${what}, but not within ${patienceMs} ms`);
    await pause(5);
  }
}

export async function put(
  client: Coordinator,
  key: string,
  value: string,
  session?: Session,
): Promise<Revision> {
  const change = [{ put: key, value, ...(session && { session }) }];
  const result = await client.transact({ change });
  // A machine too busy to answer its pings: once more does no harm.
  return applied(result.outcome === "indeterminate" ? await client.transact({ change }) : result);
}

export async function remove(client: Coordinator, key: string): Promise<Revision> {
  return applied(await client.transact({ change: [{ delete: key }] }));
}

export function applied(result: TransactionResult): Revision {
  assert.equal(result.outcome, "applied");
  return (result as { revision: Revision }).revision;
}

/** Whether it throws what an ended session throws. */
export function isValid(session: Session): boolean {
  try {
    session.assertValid();
    return true;
  } catch (error) {
    assert.ok(isTenfoldError(error, "TENFOLD_COORDINATION_SESSION_LOST"), String(error));
    return false;
  }
}

/** False while no server answers. */
export function answers(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    (error: unknown) => {
      assert.ok(isTenfoldError(error, "TENFOLD_COORDINATION_UNAVAILABLE"), String(error));
      return false;
    },
  );
}

/** A writer that remembers what it wrote, for the validators of watches. */
export interface RememberedWrites {
  readonly written: readonly WrittenRevision[];
  put(key: string, value: string): Promise<Revision>;
  remove(key: string): Promise<Revision>;
  /** Several at once; a value of undefined deletes. */
  write(changes: WrittenRevision["changes"]): Promise<Revision>;
}

export function rememberedWrites(client: Coordinator): RememberedWrites {
  const written: WrittenRevision[] = [];
  const write = async (changes: WrittenRevision["changes"]): Promise<Revision> => {
    const change = changes.map(({ key, value }) =>
      value === undefined ? { delete: key } : { put: key, value },
    );
    const revision = applied(await client.transact({ change }));
    written.push({ revision, changes });
    return revision;
  };
  return {
    written,
    write,
    put: (key, value) => write([{ key, value }]),
    remove: (key) => write([{ key, value: undefined }]),
  };
}

/** A reader that keeps the map of a watch and checks what every watch promises. */
export interface FollowedMap {
  readonly prefix: string;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly batches: readonly WatchBatch[];
  /** Throws what went wrong so far. */
  check(): void;
  /** What is wrong with what it was told, given all that was written under the prefix. */
  faults(written: readonly WrittenRevision[]): readonly WatchFault[];
  stop(): Promise<void>;
}

export async function follow(
  client: Coordinator,
  prefix: string,
  patienceMs?: number,
): Promise<FollowedMap> {
  const stop = new AbortController();
  const entries = new Map<string, Entry>();
  const batches: WatchBatch[] = [];
  let failure: unknown;
  const running = (async () => {
    for await (const batch of client.watch(prefix, { signal: stop.signal })) {
      checkBatch(batches, batch, entries);
      applyBatch(entries, batch);
      batches.push(batch);
    }
  })().catch((error: unknown) => {
    failure = error;
  });
  const check = (): void => {
    if (failure !== undefined) throw failure;
  };
  const hasBegun = (): boolean => {
    check();
    return batches.length > 0;
  };
  await eventually("the watch begins", hasBegun, patienceMs);
  return {
    prefix,
    entries,
    batches,
    check,
    faults: (written) => watchFaults(prefix, written, batches),
    async stop() {
      stop.abort();
      await running;
      check();
    },
  };
}

function applyBatch(entries: Map<string, Entry>, batch: WatchBatch): void {
  for (const change of batch.changes) {
    if (change.kind === "put") entries.set(change.entry.key, change.entry);
    else entries.delete(change.key);
  }
  if (batch.kind === "delta") return;
  const told = batch.entries.map((entry) => [entry.key, entry] as const);
  assert.deepEqual(byKey(entries), told, "a snapshot agrees with its own difference");
}

function checkBatch(
  before: readonly WatchBatch[],
  batch: WatchBatch,
  entries: ReadonlyMap<string, Entry>,
): void {
  const last = before.at(-1);
  if (last === undefined) assert.equal(batch.kind, "snapshot", "a watch begins with a snapshot");
  else assert.ok(batch.revision >= last.revision, "a watch does not go back in time");
  const keys = batch.changes.map((one) => (one.kind === "put" ? one.entry.key : one.key));
  assert.equal(new Set(keys).size, keys.length, "a batch changes a key once");
  for (const change of batch.changes) {
    if (change.kind !== "put") continue;
    const known = entries.get(change.entry.key);
    const isNewer = known === undefined || change.entry.revision > known.revision;
    assert.ok(isNewer, `${change.entry.key} does not go back in time`);
  }
}

export async function agree(
  followed: FollowedMap,
  client: Coordinator,
  patienceMs?: number,
): Promise<void> {
  const { entries } = await client.list(followed.prefix);
  const wanted = JSON.stringify(entries.map((entry) => [entry.key, String(entry.revision)]));
  const isSame = (): boolean => {
    followed.check();
    const seen = byKey(followed.entries).map(([key, entry]) => [key, String(entry.revision)]);
    return JSON.stringify(seen) === wanted;
  };
  await eventually("watch and list agree", isSame, patienceMs);
}

export function keysOf(batch: WatchBatch | undefined): string[] {
  const changes = batch?.changes ?? [];
  return changes.map((one) => (one.kind === "put" ? one.entry.key : one.key)).sort();
}

function byKey(entries: ReadonlyMap<string, Entry>): (readonly [string, Entry])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}
