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

/** By etcd's JSON gateway, so that a test's tools do not lean on what it tests. */
async function compact({ address: { host, port } }: EtcdMember): Promise<void> {
  const ask = async (path: string, body: object) => {
    const url = `http://${host}:${port}/v3/kv/${path}`;
    const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { readonly header: { readonly revision: string } };
  };
  const { header } = await ask("range", { key: "AA==" });
  await ask("compaction", { revision: header.revision });
}
