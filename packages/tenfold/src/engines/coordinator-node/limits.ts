/** What one node takes on. Over a limit a request is refused with the status that etcd uses. */
export interface CoordinatorNodeLimits {
  /** One request; also the bound of a whole transaction. etcd: 1.5 MiB. */
  readonly requestBytesMax: number;
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  readonly transactionOperationsMax: number;
  readonly keysMax: number;
  /** All keys and values together. */
  readonly dataBytesMax: number;
  readonly leasesMax: number;
  readonly watchersMax: number;
  readonly connectionsMax: number;
  readonly streamsPerConnectionMax: number;
  /** Revisions that a read or a watch can still start from. */
  readonly historyRevisionsMax: number;
  readonly historyBytesMax: number;
  /** Writes waiting for the disk; each waits one commit at most. */
  readonly writesWaitingMax: number;
  /** How often a quiet watch that asked for it is told how far it has come. */
  readonly progressEveryMs: number;
}

export const coordinatorNodeLimits: CoordinatorNodeLimits = Object.freeze({
  requestBytesMax: 1_572_864,
  keyBytesMax: 4_096,
  valueBytesMax: 1_048_576,
  transactionOperationsMax: 128,
  keysMax: 100_000,
  dataBytesMax: 268_435_456,
  leasesMax: 20_000,
  watchersMax: 20_000,
  connectionsMax: 4_096,
  streamsPerConnectionMax: 4_096,
  historyRevisionsMax: 10_000,
  historyBytesMax: 67_108_864,
  writesWaitingMax: 10_000,
  // etcd's default.
  progressEveryMs: 600_000,
});
