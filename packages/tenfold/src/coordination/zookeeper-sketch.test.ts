import { expect, test } from "vitest";

import type {
  CallOptions,
  Change,
  Condition,
  Coordinator,
  CoordinatorCapabilities,
  CreatedEntry,
  Entry,
  EntryChange,
  Listing,
  OrderedEntry,
  ReadOptions,
  Session,
  Transaction,
  TransactionResult,
  WatchBatch,
} from "./coordinator.ts";
import { type FencingToken, fencingToken } from "./fencing-token.ts";

// How ZooKeeper 3.8 would satisfy the port, in types: there is no engine behind it. The port may
// ask for nothing that cannot be written here, and each trap stands where it bites.

/** 64 bits: epoch and counter. Passes 2^53 once the epoch passes 2^21, so never a number. */
type Zxid = bigint;

/** A node's stat as the server sends it. */
interface Stat {
  readonly czxid: Zxid;
  readonly mzxid: Zxid;
  /** Counts writes from 0, and begins at 0 again when the node is made again. */
  readonly version: number;
  /** The session's id, 0 when it has none. */
  readonly ephemeralOwner: bigint;
}

interface Node {
  readonly data: Uint8Array;
  readonly stat: Stat;
}

/** Every reply's header: the last zxid that this server has applied. */
interface Reply<Body> {
  readonly zxid: Zxid;
  readonly body: Body;
}

type CreateMode = "persistent" | "ephemeral";

type MultiOp =
  | { readonly create2: string; readonly data: Uint8Array; readonly mode: CreateMode }
  | { readonly setData: string; readonly data: Uint8Array; readonly version: number }
  | { readonly delete: string; readonly version: number }
  | { readonly check: string; readonly version: number };

/** Something happened to a path; neither what it is now nor (before 3.9) when. */
interface WatchedEvent {
  readonly type: "created" | "deleted" | "dataChanged";
  readonly path: string;
}

/** The requests that an engine would send. */
interface ZooKeeper {
  connect(timeoutMs: number): Promise<{ sessionId: bigint; negotiatedTimeoutMs: number }>;
  /** The reply deadline is the engine's own: servers say nothing when the link is dead. */
  ping(): Promise<Reply<void>>;
  closeSession(): Promise<void>;
  sync(path: string): Promise<Reply<void>>;
  getData(path: string): Promise<Reply<Node | undefined>>;
  getChildren2(path: string): Promise<Reply<readonly string[]>>;
  /** Several reads in one step of one server (since 3.6). */
  multiRead(paths: readonly string[]): Promise<Reply<readonly (Node | undefined)[]>>;
  create2(path: string, data: Uint8Array, mode: CreateMode): Promise<Reply<Stat>>;
  /** All or nothing, at one zxid; undefined: it failed, which names one operation, no more. */
  multi(ops: readonly MultiOp[]): Promise<Reply<readonly (Stat | undefined)[]> | undefined>;
  /** Persistent and recursive (since 3.6); tells nothing of what happened while disconnected. */
  addWatch(path: string, tell: (event: WatchedEvent) => void): Promise<Reply<void>>;
}

type Get<Method extends keyof ZooKeeper> = Awaited<ReturnType<ZooKeeper[Method]>>;
type Body<Method extends "getData" | "multiRead" | "getChildren2"> = Get<Method>["body"];

/** What is at hand once a request was answered; every field of the port must come from here. */
interface FromNode {
  readonly path: string;
  readonly node: NonNullable<Body<"getData">>;
  /** One node under a reserved path, as with every engine. */
  readonly generation: number;
}

/**
 * Fencing: czxid, never the number of a sequential node's name: that one is 32 bits, overflows into
 * negative numbers and begins again when its parent was removed.
 */
const tokenFrom = ({ node, generation }: FromNode): FencingToken =>
  fencingToken(generation, node.stat.czxid);

const text = new TextDecoder();

/**
 * `revision` is mzxid, not `version`: that one is the same after a delete and a create (ABA).
 * A tombstone (see `conditions`) is no entry.
 */
const entryFrom = (from: FromNode): Entry => ({
  key: from.path,
  value: text.decode(from.node.data),
  createRevision: from.node.stat.czxid,
  revision: from.node.stat.mzxid,
  sessionId: from.node.stat.ephemeralOwner === 0n ? undefined : `${from.node.stat.ephemeralOwner}`,
  token: tokenFrom(from),
});

type KindOf<T> = T extends { revision: unknown }
  ? "revision"
  : T extends { ownedBy: unknown }
    ? "ownedBy"
    : T extends { is: infer State extends string }
      ? State
      : "unknown";

/**
 * A condition is judged from a read, and pinned until the change by `check(version)`.
 *
 * Trap: between the read and the multi the node can be deleted and made again with the same
 * version. Therefore keys that are compared are never deleted but overwritten with a tombstone,
 * which keeps the version counting; tombstones are swept by multi(check, delete) after the longest
 * time that a read may lie before its multi. Ephemeral nodes, which the server deletes, are pinned
 * by a check of a persistent companion that every writer of them sets.
 *
 * "absent" without a tombstone cannot be pinned by check: the create in the same multi pins it.
 */
const conditions: { readonly [Kind in KindOf<Condition>]: (node: Node | undefined) => boolean } = {
  absent: (node) => node === undefined,
  present: (node) => node !== undefined,
  revision: (node) => node?.stat.mzxid === wanted.revision,
  ownedBy: (node) => node?.stat.ephemeralOwner === wanted.owner,
};
const wanted = { revision: 7n, owner: 9n };

type KindOfChange<T> = T extends { put: string }
  ? "put"
  : T extends { delete: string }
    ? "delete"
    : "unknown";

/**
 * A put is a create2 or a setData, by what the read found; when that was wrong the multi fails and
 * both are done again. Trap: setData cannot move a node to another session. A put under another
 * owner is delete + create2 in one multi, so the entry's `createRevision` is new.
 * A delete of what is not there is left out. Operations beyond one packet (1 MiB) are refused.
 */
const changes: {
  readonly [Kind in KindOfChange<Change>]: (node: Node | undefined) => readonly MultiOp[];
} = {
  put: (node) =>
    node === undefined
      ? [{ create2: "/a", data: new Uint8Array(), mode: "persistent" }]
      : [{ setData: "/a", data: new Uint8Array(), version: node.stat.version }],
  delete: (node) => (node === undefined ? [] : [{ delete: "/a", version: node.stat.version }]),
};

/** Told by the reply's header, also for a multi that only deletes. */
const results: {
  readonly [Outcome in TransactionResult["outcome"]]: (
    reply: Reply<readonly (Node | undefined)[]>,
    generation: number,
  ) => Extract<TransactionResult, { outcome: Outcome }>;
} = {
  applied: ({ zxid }, generation) => ({
    outcome: "applied",
    revision: zxid,
    token: fencingToken(generation, zxid),
  }),
  // Trap: a failed multi reads nothing. What the caller wants to see is read after a sync, so it
  // is what refused the change, or newer.
  refused: ({ zxid, body }, generation) => ({
    outcome: "refused",
    revision: zxid,
    reads: body.flatMap((node) => (node ? [entryFrom({ path: "/a", node, generation })] : [])),
  }),
  indeterminate: () => ({ outcome: "indeterminate", cause: "connection loss" }),
};

/**
 * Trap: children and their data are different requests. They are one state only when multiRead got
 * the data of all, a second getChildren2 gives the same names, and both came at one zxid.
 */
const listingFrom = (reply: Reply<readonly FromNode[]>): Listing => ({
  entries: reply.body.map(entryFrom),
  revision: reply.zxid,
});

/**
 * Trap: there is no history. Every (re)connection registers addWatch first, then lists, and gives
 * the difference to what was told before; every event leads to a listing again, for it does not say
 * which revision it belongs to, and several events of one multi must come in one batch.
 */
const batchFrom = (listing: Listing, difference: readonly EntryChange[]): WatchBatch => ({
  kind: "snapshot",
  revision: listing.revision,
  entries: listing.entries,
  changes: difference,
});

/**
 * Trap: the server never says "expired" to a client that it cannot reach, so validity is computed
 * from when the last answered ping was sent, against the negotiated time. Nor is a second session
 * opened on a mere disconnection: its ephemerals would stand beside the first one's.
 */
const sessionFrom = (opened: Get<"connect">, pingSentAt: number): Session => ({
  id: `${opened.sessionId}`,
  state: "active",
  validUntil: pingSentAt + opened.negotiatedTimeoutMs * 0.94,
  signal: new AbortController().signal,
  assertValid() {},
  close: async () => {},
});

/** 20 ticks at most, 2 at least; jute.maxbuffer; no history; restored stores repeat zxids. */
const capabilities: CoordinatorCapabilities = {
  durability: "quorum",
  historyWindow: false,
  keyBytesMax: 4_096,
  valueBytesMax: 1_000_000,
  minTtlMs: 4_000,
  operationsMax: 127,
  reads: ["linearizable", "stale"],
  tokensSurviveRestore: true,
};

/**
 * Every member of the port with the requests that serve it. A member that is added to the port does
 * not compile here until it has its line, and the line is an argument of requests that exist.
 */
const servedBy: { readonly [Member in keyof Coordinator]: readonly (keyof ZooKeeper)[] } = {
  capabilities: [],
  openSession: ["connect", "ping", "closeSession"],
  // "linearizable" is sync before the read (a no-op write where that must hold over a change of
  // leader: sync is no quorum operation, ZOOKEEPER-1675); "stale" is the read alone.
  get: ["sync", "getData"],
  list: ["sync", "getChildren2", "multiRead"],
  transact: ["getData", "multi", "sync", "multiRead"],
  // The name holds a unique part, so that after a lost reply getChildren2 finds the node; the order
  // is that of czxid.
  createOrdered: ["create2", "getChildren2", "getData"],
  watch: ["addWatch", "getChildren2", "multiRead"],
  close: ["closeSession"],
};

/** What the port hands to an engine: a field that is added must be considered here. */
const taken: {
  readonly calls: { readonly [Key in keyof Required<CallOptions>]: "deadline" | "signal" };
  readonly reads: { readonly [Key in keyof Required<ReadOptions>]: "deadline" | "signal" | "sync" };
  readonly ordered: { readonly [Key in keyof Required<OrderedEntry>]: "path" | "data" | "mode" };
  readonly created: { readonly [Key in keyof Required<CreatedEntry>]: "path" | "czxid" };
  readonly transaction: { readonly [Key in keyof Required<Transaction>]: keyof ZooKeeper };
} = {
  calls: { timeoutMs: "deadline", signal: "signal" },
  reads: { timeoutMs: "deadline", signal: "signal", reads: "sync" },
  // Trap: an ephemeral node has no children, so keys under an ephemeral key are paths beside it.
  ordered: { prefix: "path", value: "data", session: "mode" },
  created: { key: "path", token: "czxid" },
  transaction: { when: "getData", change: "multi", otherwiseRead: "multiRead" },
};

const node = (czxid: bigint, mzxid: bigint, version: number, ephemeralOwner = 0n): Node => ({
  data: new TextEncoder().encode("v"),
  stat: { czxid, mzxid, version, ephemeralOwner },
});

test("a node made again has a greater token, although its version repeats", () => {
  const [before, after] = [node(5n, 7n, 1), node(20n, 21n, 1)];
  const [a, b] = [before, after].map((one) => entryFrom({ path: "/a", node: one, generation: 3 }));
  expect(changes.put(before)).toEqual(changes.put(after));
  expect([conditions.revision(before), conditions.revision(after)]).toEqual([true, false]);
  expect((a?.token ?? "") < (b?.token ?? "")).toBe(true);
});

test("every outcome, listing, batch and session can be filled from what ZooKeeper answers", () => {
  const owned = node(4n, 4n, 0, 9n);
  expect(conditions.ownedBy(owned)).toBe(true);
  expect([conditions.absent(undefined), conditions.present(owned)]).toEqual([true, true]);
  expect(results.applied({ zxid: 8n, body: [] }, 1).token).toBe("00000001.0000000000000008");
  expect(results.refused({ zxid: 8n, body: [owned] }, 1).reads[0]?.sessionId).toBe("9");
  expect(results.indeterminate({ zxid: 0n, body: [] }, 1).outcome).toBe("indeterminate");
  const listing = listingFrom({ zxid: 8n, body: [{ path: "/a", node: owned, generation: 1 }] });
  expect(batchFrom(listing, []).revision).toBe(8n);
  const opened = { sessionId: 9n, negotiatedTimeoutMs: 6_000 };
  expect(sessionFrom(opened, 100).validUntil).toBe(100 + 5_640);
  expect(changes.delete(undefined)).toEqual([]);
  expect(Object.keys(servedBy).length).toBeLessThanOrEqual(10);
  expect(capabilities.reads).toContain(taken.reads.reads === "sync" ? "linearizable" : "stale");
});
