import type { FencingToken } from "./fencing-token.ts";

/**
 * A place in the coordinator's history. Opaque: compare with `<` and `===`, never compute with it.
 * etcd: the store's revision. Every successful change of anything makes it grow.
 */
export type Revision = bigint;

export interface Entry {
  readonly key: string;
  /** UTF-8 text, usually JSON. */
  readonly value: string;
  /**
   * When this key was last created: a key deleted and made again has a new one. Also the order of
   * entries made by `createOrdered`.
   */
  readonly createRevision: Revision;
  /** When it was last written. Compare-and-set on this one. */
  readonly revision: Revision;
  /** The session whose end removes the entry, if it is ephemeral. */
  readonly sessionId: string | undefined;
  /** Of its creation, in the generation in which it was read. */
  readonly token: FencingToken;
}

/**
 * active: renewed in time. suspended: no acknowledged renewal for a third of the time to live, may
 * recover. lost: over, final. closed: given up by its owner.
 */
export type SessionState = "active" | "suspended" | "lost" | "closed";

/**
 * A process's presence. Its ephemeral entries live as long as it is renewed, which it is by itself.
 */
export interface Session {
  readonly id: string;
  readonly state: SessionState;
  /**
   * Until when (`clock.now()`) the session surely lives: its time less 6 % for clocks that run
   * apart, from when the last acknowledged renewal was *sent*, elapsed by whichever of monotonic
   * and wall clock went further, so that neither a suspended machine nor a clock that steps back
   * extends it.
   */
  readonly validUntil: number;
  /** Aborts when the session is lost or closed. */
  readonly signal: AbortSignal;
  /**
   * Call at the point of use, after every await: timers may be late, this comparison is not.
   * @throws TENFOLD_COORDINATION_SESSION_LOST
   */
  assertValid(): void;
  /** Ends the session at the server at once: its entries vanish. Idempotent, never throws. */
  close(): Promise<void>;
}

export interface SessionOptions {
  /** 1,000 … 3,600,000; a server may raise it (`capabilities.minTtlMs`), never lower it. */
  readonly ttlMs: number;
  /**
   * end (default): its entries vanish when it is closed. leave: they stay until the time to live
   * ends, so that another process can take them over; an engine without time keeps them.
   */
  readonly atClose?: "end" | "leave" | undefined;
}

/** What must hold for a transaction to apply. */
export type Condition =
  | { readonly key: string; readonly is: "absent" | "present" }
  /** Present, and last written at this revision. */
  | { readonly key: string; readonly revision: Revision }
  /** Present, and it hangs on this session. */
  | { readonly key: string; readonly ownedBy: Session };

export type Change =
  | { readonly put: string; readonly value: string; readonly session?: Session }
  | { readonly delete: string };

export interface Transaction {
  /** All must hold; none means always. */
  readonly when?: readonly Condition[];
  /** Applied together, at one revision. */
  readonly change: readonly Change[];
  /** Keys to read when the conditions do not hold. */
  readonly otherwiseRead?: readonly string[];
}

/**
 * applied: at `revision`; `token` is what the entries that it created have. refused: a condition
 * did not hold; `reads` has what was asked for. indeterminate: the answer was lost, so it may or
 * may not have been applied; read to find out.
 */
export type TransactionResult =
  | { readonly outcome: "applied"; readonly revision: Revision; readonly token: FencingToken }
  | { readonly outcome: "refused"; readonly revision: Revision; readonly reads: readonly Entry[] }
  | { readonly outcome: "indeterminate"; readonly cause: unknown };

export interface Listing {
  readonly entries: readonly Entry[];
  /** The revision that the listing shows: a watch from here misses nothing. */
  readonly revision: Revision;
}

export type EntryChange =
  | { readonly kind: "put"; readonly entry: Entry }
  | { readonly kind: "delete"; readonly key: string };

/**
 * snapshot: everything under the prefix as of `revision`, with its difference to what this watch
 * had told before (first, and after every gap: reconnect, compaction, overflow). delta: what
 * changed since the batch before. Changes of one revision are never split over batches.
 */
export interface WatchBatch {
  readonly kind: "snapshot" | "delta";
  readonly revision: Revision;
  /** In a snapshot all entries, sorted by key; in a delta empty. */
  readonly entries: readonly Entry[];
  readonly changes: readonly EntryChange[];
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Give up after this long; default `coordinatorDefaults.callTimeoutMs`. */
  readonly timeoutMs?: number;
}

export interface ReadOptions extends CallOptions {
  /**
   * linearizable (default): as of now, through the majority. stale: what one server has; it may be
   * old, and two such reads may go back in time.
   */
  readonly reads?: CoordinatorReads;
}

export type CoordinatorReads = "linearizable" | "stale";

export interface OrderedEntry {
  /** A unique name of its own, the same for every try of the call. */
  readonly prefix: string;
  readonly value: string;
  /** The entry vanishes with it. */
  readonly session: Session;
}

export interface CreatedEntry {
  readonly key: string;
  readonly token: FencingToken;
}

/** What an engine gives beyond the port's word, and where its limits are. */
export interface CoordinatorCapabilities {
  /**
   * What an acknowledged write survives: none: not even the process's end; oneFsync: a crash of the
   * one server, on whose disk it is; quorum: the loss of any minority of the servers. Before the
   * servers were heard it is the least that the engine gives.
   */
  readonly durability: "none" | "oneFsync" | "quorum";
  /**
   * How many revisions back a broken watch goes on without a snapshot; true: as far as the server
   * has not compacted; false: never.
   */
  readonly historyWindow: number | boolean;
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  /** Sessions with a shorter time get this. */
  readonly minTtlMs: number;
  /** Changes of one transaction, and conditions, and keys read when it is refused: each. */
  readonly operationsMax: number;
  readonly reads: readonly CoordinatorReads[];
  /** Tokens grow on after an older backup was put back, once its generation was raised. */
  readonly tokensSurviveRestore: boolean;
}

/**
 * The port to a coordinator: small maps with revisions, sessions, transactions and watches.
 * Every engine passes `coordinatorConformance` of `tenfold/testing`.
 *
 * Calls throw `TENFOLD_COORDINATION_UNAVAILABLE` (retryable) when no server answers in time,
 * `TENFOLD_COORDINATION_REFUSED` when the server refuses them (authentication, limits),
 * `TENFOLD_COORDINATION_KEY_INVALID` and `TENFOLD_COORDINATION_VALUE_INVALID` for what no server is
 * asked to store, and `TENFOLD_COORDINATION_STORE_REPLACED` when the store is another or a younger
 * one than the one last seen. In the last case nothing is written and watches stand still until its
 * generation is raised (`raiseGeneration`), which ends every session.
 */
export interface Coordinator {
  readonly capabilities: CoordinatorCapabilities;
  openSession(options: SessionOptions & CallOptions): Promise<Session>;
  /** The entry, or undefined. */
  get(key: string, options?: ReadOptions): Promise<Entry | undefined>;
  /** All entries whose key starts with `prefix`, sorted by key, as of one revision. */
  list(prefix: string, options?: ReadOptions): Promise<Listing>;
  /** A put under another session than the entry hangs on moves it to that session. */
  transact(transaction: Transaction, options?: CallOptions): Promise<TransactionResult>;
  /**
   * Adds an entry under `prefix` that ends with the session. Entries stand in the order in which
   * the server made them (`createRevision`). A lost answer is found out: there is one entry or
   * none. When the time is up before that, the entry is taken back in the background, as long as
   * the session lives.
   * @throws TENFOLD_COORDINATION_SESSION_LOST, TENFOLD_COORDINATION_UNAVAILABLE
   */
  createOrdered(entry: OrderedEntry, options?: CallOptions): Promise<CreatedEntry>;
  /**
   * The map under `prefix`, then every change of it, until the signal fires or the loop is left.
   * Reconnects by itself for ever. The last state of every key always arrives; intermediate states
   * may be merged; nothing goes back in time, except into a higher generation.
   */
  watch(prefix: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<WatchBatch>;
  /** Closes sessions, watches and connections. Idempotent, never throws. */
  close(): Promise<void>;
}

export const coordinatorDefaults: {
  readonly callTimeoutMs: number;
  readonly sessionTtlMs: number;
} = Object.freeze({
  /** Short, so that a dead server costs little before another is asked. */
  callTimeoutMs: 2_000,
  /** How long a dead process stays listed at worst; passive health notices sooner. */
  sessionTtlMs: 6_000,
});
