import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { connectEtcd } from "../engines/etcd/client.ts";
import { eventually } from "./coordinator-steps.ts";
import { type EtcdCluster, startEtcdCluster } from "./etcd-cluster.ts";
import { findEngine } from "./server-process.fixture.ts";

const program = findEngine("etcd");
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";

describe.skipIf(program === undefined && !isRequired)(
  program === undefined ? "etcd (skipped: neither on PATH nor in .engines)" : "three etcd nodes",
  () => {
    let cluster: EtcdCluster;

    beforeAll(async () => {
      if (program === undefined) throw new Error("TENFOLD_REQUIRE_ENGINES is set, without etcd.");
      cluster = await startEtcdCluster({ program });
    });
    afterAll(() => cluster?.close());

    test("a killed leader is replaced, and comes back as a follower", async () => {
      const client = connectEtcd({ endpoints: cluster.endpoints });
      const put = (value: string) =>
        client.transact({ change: [{ put: "/a", value }] }).then(
          ({ outcome }) => outcome === "applied",
          () => false,
        );
      expect(await put("1")).toBe(true);
      const leader = await cluster.leader();
      await leader.kill();
      expect(await cluster.leader()).not.toBe(leader);
      await eventually("two of three write", () => put("2"));
      await leader.restart();
      const other = cluster.members.find((member) => member !== leader);
      other?.pause();
      await eventually("the returned one makes the majority", () => put("3"));
      other?.resume();
      expect((await client.get("/a"))?.value).toBe("3");
      await client.close();
    });

    test("closed, nothing is left", async () => {
      const children = cluster.members.map((member) => member.child);
      const folder = dirname(cluster.members[0]?.dataFolder ?? "");
      await cluster.close();
      expect(children.map(({ signalCode }) => signalCode)).toEqual(Array(3).fill("SIGKILL"));
      expect(existsSync(folder)).toBe(false);
    });
  },
);
