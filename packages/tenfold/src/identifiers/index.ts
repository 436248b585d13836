export { formatId, parseId } from "./id-codec.ts";
export {
  type IdGenerator,
  type IdGeneratorOptions,
  type IdRun,
  idGenerator,
  type TimedGenerator,
} from "./id-generator.ts";
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
export { layoutTable } from "./layout-table.ts";
export { idGeneratorDefaults, type TickOptions } from "./next-tick.ts";
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
