import { type EtcdCluster, startEtcdCluster } from "tenfold/testing";

import { fetchEngines, findEngine, whyMissing } from "../../tools/engines/index.ts";
import type { Lab } from "./experiment.ts";

/** Three real etcd nodes, on these addresses of this machine or all on 127.0.0.1. */
export async function startEtcd(
  lab: Pick<Lab, "say" | "atEnd">,
  hosts?: readonly string[],
): Promise<EtcdCluster> {
  await fetchEngines(["etcd"], lab.say);
  const engine = findEngine("etcd");
  if (engine === undefined) throw new Error(whyMissing("etcd"));
  const cluster = await startEtcdCluster({ program: engine.program, ...(hosts && { hosts }) });
  lab.atEnd(() => cluster.close());
  return cluster;
}
