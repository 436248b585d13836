export { formatId, parseId } from "./id-codec.ts";
export {
  decodeSnowflake,
  firstIdAt,
  lastIdAt,
  type Snowflake,
  type SnowflakeOptions,
  type SnowflakeParts,
  snowflake,
  snowflakeDefaults,
  snowflakeWorkerCount,
  twitterEpochMs,
} from "./snowflake.ts";
