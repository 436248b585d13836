import { etcdFaultsOf } from "../engines/etcd/known-faults.ts";
import { folderBackup } from "./conformance-tests.fixture.ts";
import type { CoordinatorConformanceOptions } from "./coordinator-conformance.ts";
import { clientModule, connect } from "./etcd-client.fixture.ts";
import type { EtcdCluster, EtcdMember } from "./etcd-cluster.ts";
import { findFakeClock } from "./server-process.fixture.ts";

/**
 * @param cluster known only when the tests run
 * @param broken the name of one of `brokenOutside`, which every client then is
 */
export function etcdOptions(
  cluster: () => EtcdCluster,
  count: number,
  broken?: string,
): CoordinatorConformanceOptions {
  const all = (run: (member: EtcdMember) => Promise<void> | void) => async () => {
    await Promise.all(cluster().members.map(run));
  };
  const member = (index: number): EtcdMember => cluster().members[index] as EtcdMember;
  const addresses = () => cluster().members.map(({ address }) => address);
  const restart = all((one) => one.restart());
  const fakeClock = findFakeClock();
  const folders = () => cluster().members.map(({ dataFolder }) => dataFolder);
  return {
    connect: async (through) =>
      connect({ addresses: through ?? addresses(), ...(broken && { broken }) }),
    get addresses() {
      return addresses();
    },
    restart,
    compact: () => compact(member(0)),
    freeze: {
      pause: () => cluster().members.forEach((one) => void one.pause()),
      resume: () => cluster().members.forEach((one) => void one.resume()),
    },
    backup: folderBackup({ folders, restart, kill: all((one) => one.kill()) }),
    clientProcess: clientModule(() => ({ addresses: addresses() })),
    ...(fakeClock && { fakeClock }),
    async knownFaults() {
      const faults = etcdFaultsOf(await versionOf(member(0)));
      return faults.flatMap(({ issue, fails }) => (fails ? [{ issue, ...fails }] : []));
    },
    sessions: 300,
    ...(count > 1 && {
      quorum: {
        count,
        kill: (server) => member(server).kill(),
        start: (server) => member(server).restart(),
        leader: async () => cluster().members.indexOf(await cluster().leader()),
      },
    }),
  };
}

async function compact(member: EtcdMember): Promise<void> {
  const { header } = await ask(member, "kv/range", { key: "AA==" });
  await ask(member, "kv/compaction", { revision: header.revision });
}

async function versionOf(member: EtcdMember): Promise<string> {
  return (await ask(member, "maintenance/status", {})).version ?? "";
}

interface GatewayAnswer {
  readonly header: { readonly revision: string };
  readonly version?: string;
}

/** By etcd's JSON gateway, so that a test's tools do not lean on what it tests. */
async function ask(
  { address: { host, port } }: EtcdMember,
  path: string,
  body: object,
): Promise<GatewayAnswer> {
  const url = `http://${host}:${port}/v3/${path}`;
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as GatewayAnswer;
}
