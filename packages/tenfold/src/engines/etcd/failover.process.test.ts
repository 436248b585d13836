import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { jsonLog } from "../../runtime/log.ts";
import { agree, eventually, follow } from "../../testing/coordinator-steps.ts";
import { type EtcdCluster, startEtcdCluster } from "../../testing/etcd-cluster.ts";
import { findEngine } from "../../testing/server-process.fixture.ts";
import { connectEtcd } from "./client.ts";
import { etcdFaultsOf } from "./known-faults.ts";

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
    const connect = () => connectEtcd({ endpoints: cluster.endpoints });

    test("any one may die or stand still: calls, sessions and watches move on", async () => {
      const client = connect();
      const session = await client.openSession({ ttlMs: 6_000 });
      const { key } = await client.createOrdered({ prefix: "/q/", value: "", session });
      const followed = await follow(client, "/m/");
      const put = (value: string) =>
        client.transact({ change: [{ put: "/m/a", value }] }, { timeoutMs: 500 }).then(
          ({ outcome }) => outcome === "applied",
          () => false,
        );
      for (const [i, member] of cluster.members.entries()) {
        member.pause();
        await eventually("the others write", () => put(`paused ${i}`));
        await agree(followed, client);
        member.resume();
        await member.kill();
        await eventually("the others write", () => put(`killed ${i}`));
        await member.restart();
      }
      await agree(followed, client);
      await eventually("the session is renewed", () => session.state === "active");
      expect((await client.get(key))?.sessionId).toBe(session.id);
      expect(client.capabilities.durability).toBe("quorum");
      await followed.stop();
      await client.close();
    });

    test("without a majority nothing is made up, and stale reads are still to be had", async () => {
      const client = connect();
      await client.transact({ change: [{ put: "/s", value: "1" }] });
      const others = cluster.members.slice(1);
      for (const member of others) await member.kill();
      const unavailable = { code: "TENFOLD_COORDINATION_UNAVAILABLE", retryable: true };
      await eventually("the last one knows that it is alone", () =>
        client.get("/s", { timeoutMs: 500 }).then(
          () => false,
          () => true,
        ),
      );
      await expect(client.get("/s", { timeoutMs: 500 })).rejects.toMatchObject(unavailable);
      await eventually("a stale read is answered", () =>
        client.get("/s", { reads: "stale" }).then(
          (entry) => entry?.value === "1",
          () => false,
        ),
      );
      for (const member of others) await member.restart();
      await eventually("the majority answers", () =>
        client.get("/s").then(
          (entry) => entry?.value === "1",
          () => false,
        ),
      );
      await client.close();
    });

    test("known faults of the version are warned of, once a client", async () => {
      const lines: string[] = [];
      const log = jsonLog({ level: "warn", write: (line) => void lines.push(line) });
      const client = connectEtcd({ endpoints: cluster.endpoints, runtime: { log } });
      const { host, port } = cluster.members[0]?.address ?? {};
      const url = `http://${host}:${port}/v3/maintenance/status`;
      const answer = await fetch(url, { method: "POST", body: "{}" });
      const { version } = (await answer.json()) as { version: string };
      const faults = etcdFaultsOf(version);
      for (const member of cluster.members.slice(0, 2)) {
        await client.get("/a");
        await eventually("it is heard", () => lines.length > 0 || faults.length === 0);
        await member.restart();
        await eventually("it answers again", () =>
          client.get("/a").then(
            () => true,
            () => false,
          ),
        );
      }
      await client.close();
      const warned = lines.map((line) => JSON.parse(line)).filter((line) => "faults" in line);
      expect(warned).toHaveLength(faults.length > 0 ? 1 : 0);
      for (const line of warned)
        expect(line).toMatchObject({ version, faults: { length: faults.length } });
    });
  },
);
