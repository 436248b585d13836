/** What is on record about a worker number. */
export interface WorkerRecord {
  /** Who has it, or had it last: unlike any other claim's. */
  readonly owner: string;
  /** Grows with every claim of the number. */
  readonly epoch: number;
  /** Times before this may be in use; whoever claims next begins here. */
  readonly reservedUntilMs: number;
}

export interface StoredWorker {
  readonly worker: number;
  readonly record: WorkerRecord;
  /** Changes with every replacement; opaque. */
  readonly version: bigint;
  /** Is its owner's session alive, as far as the store can tell? */
  readonly held: boolean;
}

export interface WorkerReplacement {
  readonly worker: number;
  /** Replace this version; undefined when there must be no record yet. */
  readonly version: bigint | undefined;
  readonly record: WorkerRecord;
  /**
   * claim: refused while another's session holds the number. keep: by its owner. release: by its
   * owner, for the last time.
   */
  readonly purpose: "claim" | "keep" | "release";
}

export type WorkerReplaced =
  | { readonly replaced: true; readonly version: bigint }
  /** With what is there instead. */
  | { readonly replaced: false; readonly current: StoredWorker | undefined };

/**
 * Where worker numbers are on record: `coordinatorWorkerRecords` of `tenfold/coordination`, or
 * `fileWorkerRecords` for one machine.
 */
export interface WorkerRecords {
  /** All that are on record. */
  list(options?: { readonly signal?: AbortSignal | undefined }): Promise<readonly StoredWorker[]>;
  /**
   * Atomic, and durable when it resolves. When it throws it may have happened or not, or may happen
   * yet.
   */
  replace(
    replacement: WorkerReplacement,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<WorkerReplaced>;
  /**
   * When the records were last put back to an older state, as by the restore of a backup, in
   * wall-clock milliseconds; 0 for never. What was reserved shortly before is not on record. Left
   * out where that cannot be known.
   */
  restoredAtMs?(options?: { readonly signal?: AbortSignal | undefined }): Promise<number>;
}
