import { folderBackup } from "./conformance-tests.fixture.ts";
import type { CoordinatorConformanceOptions } from "./coordinator-conformance.ts";
import { clientModule, connect } from "./etcd-client.fixture.ts";
import { type CoordinatorServer, findFakeClock, startNode } from "./server-process.fixture.ts";

const token = "secret";
const historyRevisions = 100;

/** An embedded node that forgets soon, in a process of its own. */
export function startForgetfulNode(): Promise<CoordinatorServer> {
  return startNode({ NODE_TOKEN: token, NODE_HISTORY: String(historyRevisions) });
}

/**
 * @param server known only when the tests run
 * @param options.broken the name of one of `brokenOutside`, which every client then is
 */
export function nodeOptions(
  server: () => CoordinatorServer,
  { broken, patienceMs = 40_000 }: { readonly broken?: string; readonly patienceMs?: number } = {},
): CoordinatorConformanceOptions {
  const settings = () => ({ addresses: [server().address], token, ...(broken && { broken }) });
  const fakeClock = findFakeClock();
  const restart = () => server().restart();
  return {
    connect: async (through) => connect({ ...settings(), ...(through && { addresses: through }) }),
    get addresses() {
      return [server().address];
    },
    restart,
    async compact() {
      const client = connect({ addresses: [server().address], token });
      for (let i = 0; i <= historyRevisions; i++) {
        await client.transact({ change: [{ put: "/elsewhere", value: String(i) }] });
      }
      await client.close();
    },
    freeze: {
      pause: () => void server().child.kill("SIGSTOP"),
      resume: () => void server().child.kill("SIGCONT"),
    },
    backup: folderBackup({
      folders: () => [server().dataFolder],
      restart,
      kill: () => server().kill(),
    }),
    clientProcess: clientModule(settings),
    ...(fakeClock && { fakeClock }),
    sessions: 300,
    patienceMs,
  };
}
