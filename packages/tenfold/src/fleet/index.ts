export type { FleetStatus, HostStatus, InstanceStatus } from "./admin-api.ts";
export {
  absoluteAccess,
  type CoordinatorAccess,
  checkCoordinatorAccess,
  connectFleetCoordinator,
} from "./coordinator-access.ts";
export { coordinatorService } from "./coordinator-service.ts";
export type { FleetEvent } from "./event-log.ts";
export {
  type ConsoleDefinition,
  type DurableQueueOptions,
  defineFleet,
  durableQueue,
  type EmbeddedCoordinator,
  type EtcdCoordinator,
  embedded,
  etcd,
  type FleetDefinition,
  type GatewayDefinition,
  type GatewayRoute,
  type HostDefinition,
  type Places,
  type PostgresStore,
  type ServiceDefinition,
  type ShardedPostgresOptions,
  type SqliteQueue,
  shardedPostgres,
} from "./fleet-definition.ts";
export {
  type FleetPlan,
  fleetPlanDefaults,
  type HostPlan,
  type PlanOptions,
  type ProcessKind,
  type ProcessPlan,
  planFleet,
  type StorePlan,
} from "./fleet-plan.ts";
export { joinToken } from "./fleet-token.ts";
export { gatewayService } from "./gateway-service.ts";
export {
  createHttpService,
  type HttpLimits,
  type HttpService,
  type HttpServiceOptions,
  httpServiceDefaults,
} from "./http-service.ts";
export {
  type Environment,
  type InstanceVariable,
  instanceVariables,
} from "./instance-environment.ts";
export type { ProcessState, ProcessStatus } from "./managed-process.ts";
export { fleetSecrets } from "./process-environment.ts";
export { queueService } from "./queue-service.ts";
export { registryService } from "./registry-service.ts";
export { type RunServiceOptions, runService, type ServiceProcess } from "./run-service.ts";
export { resolveSecret } from "./secret-reference.ts";
export {
  defineService,
  type Instance,
  type RunningService,
  type Service,
  type ServiceContext,
  type ServiceHandler,
  type ServiceRequest,
  type ServiceResponse,
  type ServiceRoutes,
} from "./service.ts";
export {
  type BootStep,
  createSupervisor,
  type Supervisor,
  type SupervisorOptions,
} from "./supervisor.ts";
export {
  type AdminRequest,
  type AdminTrust,
  type AdminVerdict,
  checkAdminRequest,
  checkStranger,
  sameSecret,
} from "./trust.ts";
