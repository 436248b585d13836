export { connectEtcd, type EtcdOptions } from "./client.ts";
export { type EtcdEndpoint, parseEtcdEndpoints } from "./endpoints.ts";
export { type EtcdFault, etcdFaults, etcdFaultsOf } from "./known-faults.ts";
export { receiveSnapshot } from "./receive-snapshot.ts";
export type { EtcdTlsOptions } from "./tls.ts";
