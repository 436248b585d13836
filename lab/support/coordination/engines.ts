import { connectEtcd } from "tenfold/engines/etcd";
import type { SocketAddress } from "tenfold/runtime";

import { startEtcd } from "../etcd.ts";
import type { Lab } from "../experiment.ts";
import { startNode } from "./node-process.ts";

/** One kind of coordinator that an experiment is run on. */
export interface LabEngine {
  readonly name: string;
  start(lab: Lab): Promise<readonly SocketAddress[]>;
}

export const labEngines: readonly LabEngine[] = [
  { name: "embedded", start: async (lab) => [await startNode(lab)] },
  { name: "etcd, 1 server", start: (lab) => etcdAddresses(lab, 1) },
  { name: "etcd, 3 servers", start: (lab) => etcdAddresses(lab, 3) },
];

async function etcdAddresses(lab: Lab, count: number): Promise<readonly SocketAddress[]> {
  const hosts = Array.from({ length: count }, () => "127.0.0.1");
  const { members } = await startEtcd(lab, hosts);
  return members.map(({ address }) => address);
}

/** A client of the servers at these addresses, also as a module for another process. */
export function connect(addresses: readonly SocketAddress[]) {
  return connectEtcd({ endpoints: addresses.map(({ host, port }) => `http://${host}:${port}`) });
}
