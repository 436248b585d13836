export { decodeTopology, encodeTopology, type ShardNode, type Topology } from "./topology.ts";
