export {
  type BlockIds,
  type BlockIdsOptions,
  blockIdsDefaults,
  createBlockIds,
} from "./block-ids.ts";
export { fileWorkerRecords } from "./file-worker-records.ts";
export { decodeIdBlock, encodeIdBlock, type IdBlock, idBlockLimits } from "./id-block.ts";
export { formatId, parseId } from "./id-codec.ts";
export {
  type IdGenerator,
  type IdGeneratorOptions,
  type IdRun,
  idGenerator,
  type TimedGenerator,
} from "./id-generator.ts";
export { type IdJson, type IdJsonOptions, idJson } from "./id-json.ts";
export {
  instagramLayout,
  shardedIdSlots,
  shardedLayout,
  simpleKeyLayout,
  simpleKeyWorkerLayout,
  snowflakeLayout,
  twitterEpochMs,
} from "./known-layouts.ts";
export {
  type IdFields,
  type IdLayout,
  type IdLayoutDeclaration,
  idLayout,
  type LayoutField,
} from "./layout.ts";
export { type LayoutRow, layoutTable } from "./layout-table.ts";
export type { LeasedWorker } from "./lease-keeper.ts";
export {
  createLeasedIds,
  type LeasedIds,
  type LeasedIdsOptions,
  type LeasedIdsStatus,
  leasedIdsDefaults,
} from "./leased-ids.ts";
export { idGeneratorDefaults, type TickOptions } from "./next-tick.ts";
export {
  decodeObjectId,
  firstObjectIdAt,
  lastObjectIdAt,
  type ObjectIdParts,
  type ObjectIds,
  type ObjectIdsOptions,
  objectIdRow,
  objectIds,
} from "./object-id.ts";
export {
  type ShardedIdGenerator,
  type ShardedIdGeneratorOptions,
  shardedIdGenerator,
} from "./sharded-ids.ts";
export { formatShortId, parseShortId } from "./short-id.ts";
export {
  decodeSnowflake,
  type SnowflakeOptions,
  type SnowflakeParts,
  snowflake,
} from "./snowflake.ts";
export { type TimeWindow, type TimeWindowOptions, timeWindow } from "./time-window.ts";
export type {
  StoredWorker,
  WorkerRecord,
  WorkerRecords,
  WorkerReplaced,
  WorkerReplacement,
} from "./worker-records.ts";
