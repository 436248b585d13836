import assert from "node:assert/strict";

import type {
  Coordinator,
  Entry,
  Revision,
  TransactionResult,
  WatchBatch,
} from "../coordination/coordinator.ts";
import type { FaultProxy } from "./fault-proxy.ts";

/** What a case works with; clients that it connects are closed after it. */
export interface CoordinatorGround {
  /** Keys of this case alone; ends in "/". */
  readonly prefix: string;
  /** A new client that reaches the server directly. */
  connect(): Promise<Coordinator>;
  /** A new client behind the proxy. */
  connectThroughProxy(): Promise<Coordinator>;
  readonly proxy: FaultProxy;
  /** Ends the server as a crash would and starts it on the same data. */
  restart(): Promise<void>;
  /** Makes the server forget how its present state came about. */
  compact(): Promise<void>;
}

export type CoordinatorNeed = "proxy" | "restart" | "compact";

export interface CoordinatorCase {
  readonly needs?: readonly CoordinatorNeed[];
  run(ground: CoordinatorGround): Promise<void>;
}

/** Long enough for a slow machine; a case that waits this long has failed. */
export const patienceMs: number = 20_000;

/** Waits until the check holds. */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await check())) {
    assert.ok(performance.now() < deadline, `${what}, but not within ${patienceMs} ms`);
    await pause(5);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function put(client: Coordinator, key: string, value: string): Promise<Revision> {
  return applied(await client.transact({ change: [{ put: key, value }] }));
}

export async function remove(client: Coordinator, key: string): Promise<Revision> {
  return applied(await client.transact({ change: [{ delete: key }] }));
}

export function applied(result: TransactionResult): Revision {
  assert.equal(result.outcome, "applied");
  return (result as { revision: Revision }).revision;
}

/** A reader that keeps the map of a watch and checks what every watch promises. */
export interface FollowedMap {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly batches: readonly WatchBatch[];
  stop(): Promise<void>;
}

export async function follow(client: Coordinator, prefix: string): Promise<FollowedMap> {
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
  await eventually("the watch begins", () => batches.length > 0 || failure !== undefined);
  return {
    entries,
    batches,
    async stop() {
      stop.abort();
      await running;
      if (failure !== undefined) throw failure;
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

/** The followed map and a fresh listing become the same. */
export async function agree(
  followed: FollowedMap,
  client: Coordinator,
  prefix: string,
): Promise<void> {
  const { entries } = await client.list(prefix);
  const wanted = JSON.stringify(entries.map((entry) => [entry.key, String(entry.revision)]));
  const seen = (): string =>
    JSON.stringify(byKey(followed.entries).map(([key, entry]) => [key, String(entry.revision)]));
  await eventually("watch and list agree", () => seen() === wanted);
}

function byKey(entries: ReadonlyMap<string, Entry>): (readonly [string, Entry])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}
