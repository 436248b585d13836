import { afterAll, beforeAll, describe, test } from "vitest";

import { coordinatorConformance } from "../../testing/coordinator-conformance.ts";
import { createFaultProxy, type FaultProxy } from "../../testing/fault-proxy.ts";
import { type CoordinatorServer, startNode } from "../../testing/server-process.fixture.ts";
import { connectEtcd } from "../etcd/client.ts";

const token = "secret";
const historyRevisions = 100;

let server: CoordinatorServer;
let proxy: FaultProxy;

const connect = async (through?: FaultProxy) => {
  const { host, port } = through?.address ?? server.address;
  return connectEtcd({ endpoints: `http://${host}:${port}`, token });
};

beforeAll(async () => {
  const settings = { NODE_TOKEN: token, NODE_HISTORY: String(historyRevisions) };
  server = await startNode(settings);
  proxy = await createFaultProxy({ target: server.address });
});

afterAll(async () => {
  await proxy?.close();
  await server?.close();
});

describe("the embedded node through the etcd client", () => {
  const cases = coordinatorConformance({
    connect,
    get proxy() {
      return proxy;
    },
    restart: () => server.restart(),
    async compact() {
      const client = await connect();
      for (let i = 0; i <= historyRevisions; i++) {
        await client.transact({ change: [{ put: "/elsewhere", value: String(i) }] });
      }
      await client.close();
    },
  });
  for (const { name, run } of cases) test(name, run);
});
