export { type BackOff, backOff, backOffDefaults } from "./back-off.ts";
export {
  type CallOptions,
  type Change,
  type Condition,
  type Coordinator,
  type CoordinatorCapabilities,
  type CoordinatorReads,
  type CreatedEntry,
  coordinatorDefaults,
  type Entry,
  type EntryChange,
  type Listing,
  type OrderedEntry,
  type ReadOptions,
  type Revision,
  type Session,
  type SessionState,
  type Transaction,
  type TransactionResult,
  type WatchBatch,
} from "./coordinator.ts";
export { type FencingToken, fencingToken } from "./fencing-token.ts";
export { generationKey, nextGeneration, raiseGeneration } from "./generation.ts";
export { createKeptSession, type KeptSession, type KeptSessionOptions } from "./kept-session.ts";
export { type FleetKeys, fleetKeys } from "./keys.ts";
export { claimNumber, type NumberClaim, type NumberClaimOptions } from "./number-claim.ts";
export { type RevisedChange, type WatchBuffer, watchBuffer } from "./watch-buffer.ts";
export { type WatchedMap, type WatchedMapOptions, watchedMap } from "./watched-map.ts";
export {
  type CoordinatorWorkerRecordsOptions,
  coordinatorWorkerRecords,
} from "./worker-records.ts";
