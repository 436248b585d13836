export { findPostgres, type PostgresBinaries } from "./binaries.ts";
export {
  bringUpShard,
  type ServerHost,
  type ShardStep,
  shardServers,
  shardSteps,
} from "./bring-up.ts";
export { postgresError } from "./client.ts";
export { type PostgresCredentials, postgresCredentials } from "./credentials.ts";
export { type PostgresEngine, type PostgresEngineOptions, postgresEngine } from "./engine.ts";
export { createLocalStore, type LocalStore, type LocalStoreOptions } from "./local-store.ts";
export { findRunAs, type RunAs } from "./run-as.ts";
export {
  type PostgresServer,
  postgresServer,
  type ServerCommand,
  type ServerState,
  serverDefaults,
  type WaitOptions,
} from "./server.ts";
export {
  type PostgresServerSpec,
  type PostgresShard,
  type PostgresShardPlanOptions,
  postgresShardPlan,
} from "./shard-plan.ts";
export {
  type FenceConnection,
  type FencePool,
  type FenceResult,
  type PooledConnection,
  raiseSqlFence,
  type SqlFenceOptions,
  sqlFence,
  sqlFenceDefaults,
  sqlFenceStatement,
  sqlFenceTable,
} from "./sql-fence.ts";
export { type StartedServer, startServer } from "./start-server.ts";
export {
  appRole,
  postgresUrl,
  type ShardConnection,
  storeConnections,
  urlConnections,
} from "./store-connections.ts";
