import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FleetStatus } from "tenfold/fleet";
import { systemRuntime } from "tenfold/runtime";
import { type EtcdCluster, startEtcdCluster } from "tenfold/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { until } from "../../../lab/support/fleet.ts";
import { type FleetHosts, startFleetHosts } from "../../../lab/support/fleet-hosts.ts";
import { leftBehind } from "../../../lab/support/left-behind.ts";
import { findEngine, whyMissing } from "../../../tools/engines/index.ts";
import { failedStart } from "./testing/failed-start.ts";
import { twoHostsFleetFile } from "./testing/fleet-files.ts";
import { createGatewayClient } from "./traffic/gateway-client.ts";

const folder = mkdtempSync(join(tmpdir(), "tenfold-two-hosts-"));
const etcdProgram = findEngine("etcd")?.program;
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";
const title = "a fleet of two hosts";
let etcd: EtcdCluster;
let fleet: FleetHosts;

const stateOf = ({ hosts }: FleetStatus) =>
  Object.fromEntries(hosts.map(({ name, state }) => [name, state]));

describe.skipIf(etcdProgram === undefined && !isRequired)(
  etcdProgram === undefined ? `${title} (skipped: ${whyMissing("etcd")})` : title,
  () => {
    beforeAll(async () => {
      if (etcdProgram === undefined) throw new Error(whyMissing("etcd"));
      etcd = await startEtcdCluster({ program: etcdProgram, hosts: ["127.0.0.1"] });
      const fleetFile = twoHostsFleetFile(folder);
      const { endpoints: coordinator } = etcd;
      // The standby's host starts first, and waits for the primary's.
      fleet = await startFleetHosts({ fleetFile, names: ["b", "a"], coordinator });
    }, 600_000);
    afterAll(async () => {
      await fleet?.close();
      await etcd?.close();
      const left = leftBehind(folder);
      for (const { pid } of left) process.kill(pid, "SIGKILL");
      rmSync(folder, { recursive: true, force: true });
      expect(left).toEqual([]);
    });

    test("any host tells of all and shoots on all", async () => {
      const status = await fleet.host("a").status();
      expect(stateOf(status)).toEqual({ a: "up", b: "up" });
      const where = status.instances.map(({ name, host, state }) => [name, host, state]);
      expect(Object.groupBy(where, ([, , state]) => state as string)).toEqual({
        ready: expect.arrayContaining([
          ["guid-1", "a", "ready"],
          ["guid-2", "b", "ready"],
          ["gateway-a", "a", "ready"],
          ["gateway-b", "b", "ready"],
          ["pg-posts-0-1", "a", "ready"],
          ["pg-posts-0-2", "b", "ready"],
        ]),
      });
      const { pid } = await fleet.host("a").kill("guid-2");
      await fleet.host("b").waitReady("guid-2", { afterPid: pid as number });
      await expect(fleet.host("a").kill("guid-9")).rejects.toThrow(/no guid-9/);
    });

    test("a client of two gateways does not notice that a host dies, and it comes back", async () => {
      const gateways = ["a", "b"].map((name) => fleet.host(name).gateway);
      const { portsFrom } = fleet.host("a");
      const client = createGatewayClient(gateways, systemRuntime.clock);
      const answers: (readonly [number, string])[] = [];
      let over = false;
      const caller = async (): Promise<void> => {
        while (!over) {
          const { status, text } = await client.call({ method: "GET", path: "/api/v1/guid" });
          answers.push([status, text]);
          await systemRuntime.clock.sleep(20);
        }
      };
      const calling = Promise.all([caller(), caller(), caller()]);
      try {
        await fleet.kill("b");
        const a = fleet.host("a");
        await until("b to be missed", 90_000, async () => stateOf(await a.status()).b !== "up");
        const away = (await a.status()).instances.filter(({ host }) => host === "b");
        expect(new Set(away.map(({ state }) => state))).toEqual(new Set(["away"]));
        const asB = ["--host", "b", "--coordinator", etcd.endpoints];
        const made = join(folder, "made-up-token");
        writeFileSync(made, "a-token-that-nobody-made");
        const stranger = [...asB, "--join", `file:${made}`];
        const fleetFile = join(folder, "two-hosts.mjs");
        expect(await failedStart(fleetFile, join(folder, "new"), portsFrom, stranger)).toEqual({
          exitCode: 1,
          code: "TENFOLD_FLEET_JOIN_REFUSED",
        });
        await fleet.start("b");
        expect(stateOf(await a.status())).toEqual({ a: "up", b: "up" });
      } finally {
        over = true;
        await calling;
        client.close();
      }
      expect(answers.filter(([status]) => status !== 200)).toEqual([]);
      const ids = answers.map(([, text]) => (JSON.parse(text) as { guid_str: string }).guid_str);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.length).toBeGreaterThan(50);
    }, 600_000);
  },
);
