export {
  type CompositeMap,
  type CompositePlacement,
  compositeLimits,
  compositeMap,
} from "./composite-map.ts";
export {
  type Directory,
  type DirectoryOptions,
  directory,
  directoryDefaults,
} from "./directory.ts";
export {
  type DirectoryClient,
  type DirectoryClientOptions,
  type DirectoryClientStats,
  directoryClient,
  directoryClientDefaults,
  type KeyRoute,
} from "./directory-client.ts";
export {
  type DirectoryEntry,
  decodeDirectoryEntry,
  encodeDirectoryEntry,
  type KeyState,
  keyStates,
  type MoveStep,
  steppedEntry,
} from "./directory-entry.ts";
export { type HeldPlacement, type HoldablePlacement, heldPlacement } from "./held-placement.ts";
export {
  type IndexedMap,
  type IndexedPlacement,
  indexedLimits,
  indexedMap,
} from "./indexed-map.ts";
export {
  decodeKeyFilter,
  type KeyFilter,
  type KeyFilterOptions,
  keyFilter,
  keyFilterDefaults,
} from "./key-filter.ts";
export type { KeyMap, PartitionKey } from "./key-map.ts";
export {
  type KeyOrder,
  type KeyOrderOptions,
  keyOrder,
  keyOrderDefaults,
  reversedBits,
} from "./key-order.ts";
export { type ListMap, type ListPlacement, type ListRow, listLimits, listMap } from "./list-map.ts";
export {
  doubledModularMap,
  type ModularBasis,
  type ModularMap,
  type ModularPlacement,
  modularDefaults,
  modularLimits,
  modularMap,
  preSharded,
} from "./modular-map.ts";
export {
  type Move,
  type MovedPart,
  type Movement,
  movedShare,
  movementBetween,
  movementLimits,
} from "./movement.ts";
export {
  encodePlacement,
  type PlacementMap,
  placementLimits,
  placementOf,
} from "./placement-codec.ts";
export { type BoundKind, openEnd, type RangeBound } from "./range-bound.ts";
export {
  type CheckedRange,
  type RangeMap,
  type RangePlacement,
  type RangeRow,
  rangeLimits,
  rangeMap,
  splitRange,
} from "./range-map.ts";
export {
  type Admission,
  type ShardGuard,
  type ShardGuardOptions,
  shardGuard,
  shardGuardDefaults,
} from "./shard-guard.ts";
export { slotAmong, slotDefaults, slotLimits, slotOf } from "./slot.ts";
export {
  decodeSlotMap,
  encodeSlotMap,
  evenSlotMap,
  finerSlotMap,
  rebalancedSlotMap,
  type SlotMap,
  type SlotPlacement,
  type SlotRange,
  slotMap,
} from "./slot-map.ts";
