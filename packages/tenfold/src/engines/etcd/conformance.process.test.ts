import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, test } from "vitest";

import { coordinatorConformance } from "../../testing/coordinator-conformance.ts";
import { createFaultProxy, type FaultProxy } from "../../testing/fault-proxy.ts";
import {
  type CoordinatorServer,
  findEngine,
  startEtcd,
} from "../../testing/server-process.fixture.ts";
import { connectEtcd } from "./client.ts";

const etcd = findEngine("etcd");
const etcdctl = findEngine("etcdctl");
const isMissing = etcd === undefined || etcdctl === undefined;
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";

describe.skipIf(isMissing && !isRequired)(
  isMissing ? "etcd (skipped: neither on PATH nor in .engines)" : "etcd through the etcd client",
  () => {
    let server: CoordinatorServer;
    let proxy: FaultProxy;

    const connect = async (through?: FaultProxy) => {
      const { host, port } = through?.address ?? server.address;
      return connectEtcd({ endpoints: `etcd://${host}:${port}` });
    };

    beforeAll(async () => {
      if (etcd === undefined || etcdctl === undefined) {
        throw new Error(
          "TENFOLD_REQUIRE_ENGINES is set, but etcd and etcdctl are not to be found.",
        );
      }
      server = await startEtcd(etcd);
      proxy = await createFaultProxy({ target: server.address });
    });
    afterAll(async () => {
      await proxy?.close();
      await server?.close();
    });

    const cases = coordinatorConformance({
      connect,
      get proxy() {
        return proxy;
      },
      restart: () => server.restart(),
      async compact() {
        const client = await connect();
        const { revision } = await client.list("/nothing");
        await client.close();
        const endpoint = `--endpoints=127.0.0.1:${server.address.port}`;
        const args = [endpoint, "compaction", String(revision)];
        await promisify(execFile)(etcdctl as string, args, { env: { ETCDCTL_API: "3" } });
      },
    });
    for (const { name, run } of cases) test(name, run);
  },
);
