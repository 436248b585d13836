export { type BackOff, backOff, backOffDefaults } from "./back-off.ts";
export { type BarrierOptions, type BarrierPassage, enterBarrier } from "./barrier.ts";
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
  type SessionOptions,
  type SessionState,
  type Transaction,
  type TransactionResult,
  type WatchBatch,
} from "./coordinator.ts";
export { coordinatorFence, type FencedTransact } from "./coordinator-fence.ts";
export {
  type Candidate,
  type CandidateOptions,
  campaign,
  createCandidate,
  currentLeader,
  type Leader,
  watchLeader,
} from "./election.ts";
export { type FencingToken, fencingToken } from "./fencing-token.ts";
export { generationKey, nextGeneration, raiseGeneration } from "./generation.ts";
export type { FenceClaim, FenceGuard, Hold, Unfenced } from "./hold.ts";
export { createKeptSession, type KeptSession, type KeptSessionOptions } from "./kept-session.ts";
export { type FleetKeys, fleetKeys } from "./keys.ts";
export type { LineCoordinator, LineOptions } from "./line.ts";
export { acquireLock, withLock } from "./lock.ts";
export type { MapDisk } from "./map-file.ts";
export { joinGroup, type Membership, type MembershipOptions } from "./membership.ts";
export { type RemovalRules, removalRulesDefaults } from "./removal-guard.ts";
export { type RevisedChange, type WatchBuffer, watchBuffer } from "./watch-buffer.ts";
export {
  type MapSource,
  type WatchedMap,
  type WatchedMapOptions,
  watchedMap,
  watchedMapDefaults,
} from "./watched-map.ts";
export {
  type CoordinatorWorkerRecordsOptions,
  coordinatorWorkerRecords,
} from "./worker-records.ts";
