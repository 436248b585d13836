/**
 * A place in the coordinator's history. Opaque: compare with `<` and `===`, never compute with it.
 * etcd: the store's revision. Every successful change of anything makes it grow.
 */
export type Revision = bigint;

export interface Entry {
  readonly key: string;
  /** UTF-8 text, usually JSON. */
  readonly value: string;
  /** When this key was last created: a key deleted and made again has a new one. */
  readonly createRevision: Revision;
  /** When it was last written. Compare-and-set on this one. */
  readonly revision: Revision;
  /** The session whose end removes the entry, if it is ephemeral. */
  readonly sessionId: string | undefined;
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
   * Until when (`clock.now()`) the session surely lives, counted from when the renewal was sent.
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

/** What must hold for a transaction to apply. */
export type Condition =
  | { readonly key: string; readonly is: "absent" | "present" }
  | { readonly key: string; readonly revision: Revision };

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
 * applied: at `revision`. refused: a condition did not hold; `reads` has what was asked for.
 * indeterminate: the answer was lost, so it may or may not have been applied; read to find out.
 */
export type TransactionResult =
  | { readonly outcome: "applied"; readonly revision: Revision }
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

/**
 * The port to a coordinator: small maps with revisions, sessions, transactions and watches.
 * Every engine passes `coordinatorConformance` of `tenfold/testing`.
 *
 * Calls throw `TENFOLD_COORDINATION_UNAVAILABLE` (retryable) when no server answers in time, and
 * `TENFOLD_COORDINATION_REFUSED` when the server refuses them (authentication, limits).
 */
export interface Coordinator {
  /** @param options.ttlMs 1,000 … 3,600,000; a server may raise it, never lower it. */
  openSession(options: { readonly ttlMs: number } & CallOptions): Promise<Session>;
  /** The entry as of now (linearizable), or undefined. */
  get(key: string, options?: CallOptions): Promise<Entry | undefined>;
  /** All entries whose key starts with `prefix`, sorted by key, as of one revision. */
  list(prefix: string, options?: CallOptions): Promise<Listing>;
  transact(transaction: Transaction, options?: CallOptions): Promise<TransactionResult>;
  /**
   * The map under `prefix`, then every change of it, until the signal fires or the loop is left.
   * Reconnects by itself for ever. The last state of every key always arrives; intermediate states
   * may be merged; nothing goes back in time.
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
