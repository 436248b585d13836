export { connectEtcd } from "./client.ts";
export { type EtcdEndpoint, parseEtcdEndpoints } from "./endpoints.ts";
export { type EtcdFault, etcdFaults, etcdFaultsOf } from "./known-faults.ts";
export type { EtcdOptions } from "./open-channel.ts";
export { receiveSnapshot } from "./receive-snapshot.ts";
export type { EtcdTlsOptions } from "./tls.ts";
