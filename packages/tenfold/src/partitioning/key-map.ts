/**
 * What is placed. A number, its decimal text and that text's UTF-8 bytes are one key wherever keys
 * are hashed.
 */
export type PartitionKey = bigint | string | Uint8Array;

/** What every checked placement can say, whatever its kind. */
export interface KeyMap {
  readonly kind: string;
  /** Grows with every change of the placement. */
  readonly version: number;
  /** Every shard that may be answered, each once. */
  readonly shards: readonly string[];
  /**
   * The shard of a key.
   * @throws TENFOLD_PARTITIONING_KEY_INVALID, TENFOLD_PARTITIONING_KEY_OUT_OF_RANGE
   */
  shardOfKey(key: PartitionKey): string;
}
