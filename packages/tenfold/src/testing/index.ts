export {
  type Certificate,
  type CertificateAuthority,
  certificateAuthority,
} from "./certificates.ts";
export {
  type ClientClock,
  type ClientModule,
  type ClientProcess,
  type ClientProcessOptions,
  startClientProcess,
  trueNow,
} from "./client-process.ts";
export type { Claim, ClientCommand, ClientReport } from "./client-program.ts";
export {
  type CoordinatorConformanceCase,
  type CoordinatorConformanceOptions,
  coordinatorConformance,
} from "./coordinator-conformance.ts";
export type { QuorumControl } from "./coordinator-steps.ts";
export {
  type DnsServer,
  type DnsServerMode,
  startDnsServer,
  type ZoneRecord,
} from "./dns-server.ts";
export {
  type EtcdCluster,
  type EtcdClusterOptions,
  type EtcdMember,
  startEtcdCluster,
} from "./etcd-cluster.ts";
export { createFaultProxies, type FaultProxies } from "./fault-proxies.ts";
export {
  createFaultProxy,
  type FaultProxy,
  type FaultProxyOptions,
  type LinkState,
  type Way,
} from "./fault-proxy.ts";
export type { Faults } from "./faulty-link.ts";
export { KnownFailure, type KnownServerFault } from "./known-failure.ts";
export {
  checkLinearizable,
  type LinearizabilityVerdict,
  type RegisterAction,
  type RegisterCall,
} from "./linearizability.ts";
export {
  type QueueConformanceCase,
  type QueueConformanceOptions,
  queueConformance,
} from "./queue-conformance.ts";
export {
  connectRedisServer,
  type RedisConnection,
  type RedisServer,
  startRedisServer,
} from "./redis-server.ts";
export { assertLinearizable, historyOf, historyText } from "./register-history.ts";
export { type RegisterWorkload, readAndWrite } from "./register-workload.ts";
export {
  type WatchFault,
  type WatchRule,
  type WrittenRevision,
  watchFaults,
} from "./watch-validators.ts";
