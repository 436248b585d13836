export { connectEtcd, type EtcdOptions } from "./client.ts";
export { type EtcdEndpoint, parseEtcdEndpoints } from "./endpoints.ts";
export { receiveSnapshot } from "./receive-snapshot.ts";
