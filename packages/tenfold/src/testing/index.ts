export {
  type CoordinatorConformanceCase,
  type CoordinatorConformanceOptions,
  coordinatorConformance,
} from "./coordinator-conformance.ts";
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
export {
  createFaultProxy,
  type FaultProxy,
  type FaultProxyOptions,
  type LinkState,
} from "./fault-proxy.ts";
export type { Faults } from "./faulty-link.ts";
export {
  type QueueConformanceCase,
  type QueueConformanceOptions,
  queueConformance,
} from "./queue-conformance.ts";
