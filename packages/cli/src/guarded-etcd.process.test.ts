import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Member } from "tenfold/discovery";
import { certificateAuthority, type EtcdCluster, startEtcdCluster } from "tenfold/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { claimPorts } from "../../../lab/support/claim-ports.ts";
import { type LabFleet, startFleet, until } from "../../../lab/support/fleet.ts";
import { leftBehind } from "../../../lab/support/left-behind.ts";
import { processTree } from "../../../lab/support/pss.ts";
import { findEngine, whyMissing } from "../../../tools/engines/index.ts";

const program = fileURLToPath(new URL("../bin/tenfold.js", import.meta.url));
const etcd = findEngine("etcd")?.program;
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";
const title = "a fleet beside an etcd with TLS and users";
const patience = { timeout: 180_000 };
const passwords = { root: "of-root-Zq1", shop: "of-the-shop-Zq2", wrong: "of-nobody-Zq3" };
const folder = mkdtempSync(join(tmpdir(), "tenfold-guarded-"));
const file = (name: string): string => join(folder, name);

const service = `export const service = {
  name: "notes",
  start: ({ coordinator }) => ({
    routes: {
      "PUT /notes/:name": async (request) => {
        const value = JSON.stringify(await request.json());
        const change = [{ put: "/app/" + request.params.name, value }];
        const { outcome } = await coordinator.transact({ change });
        return { status: outcome === "applied" ? 204 : 500 };
      },
    },
  }),
};`;
const fleetFile = (variable: string, ca: string): string => `export default {
  name: "guarded",
  coordinator: {
    kind: "etcd",
    url: "https://named.by.an.option",
    access: { user: "shop", password: "env:${variable}", ca: "file:${file(ca)}" },
  },
  gateway: { port: 8080, routes: [{ path: "/notes", service: "notes" }] },
  services: { notes: { module: "./notes.mjs", instances: 2 } },
};`;

describe.skipIf(etcd === undefined && !isRequired)(
  etcd === undefined ? `${title} (skipped: ${whyMissing("etcd")})` : title,
  () => {
    let cluster: EtcdCluster;
    let url: string;
    let fleet: LabFleet;
    const environment = {
      ...process.env,
      NODE_OPTIONS: "",
      SHOP_PASSWORD: passwords.shop,
      WRONG_PASSWORD: passwords.wrong,
    };
    const access = (password = "SHOP_PASSWORD", ca = "ca.pem"): string[] => [
      ...["--coordinator", url, "--user", "shop"],
      ...["--password", `env:${password}`, "--ca", `file:${file(ca)}`],
    ];
    const start = (...args: readonly string[]) => {
      const child = spawn(process.execPath, [program, ...args], { env: environment });
      const said = { out: "", err: "" };
      for (const [name, stream] of [["out", child.stdout] as const, ["err", child.stderr] as const])
        stream.setEncoding("utf8").on("data", (text: string) => {
          said[name] += text;
        });
      const done = once(child, "close").then(([code]) => ({ code: code as number, ...said }));
      return { child, said, done };
    };
    const tenfold = (...args: readonly string[]) => start(...args).done;

    beforeAll(async () => {
      if (etcd === undefined) throw new Error(whyMissing("etcd"));
      const authority = certificateAuthority();
      const server = authority.issue("server", ["127.0.0.1"]);
      writeFileSync(file("ca.pem"), authority.certificate);
      writeFileSync(file("other-ca.pem"), certificateAuthority("another").certificate);
      writeFileSync(file("server.pem"), server.certificate);
      writeFileSync(file("server.key"), server.key);
      writeFileSync(file("notes.mjs"), service);
      writeFileSync(file("fleet.mjs"), fleetFile("SHOP_PASSWORD", "ca.pem"));
      const flags = ["--cert-file", file("server.pem"), "--key-file", file("server.key")];
      cluster = await startEtcdCluster({
        ...{ program: etcd, hosts: ["127.0.0.1"], scheme: "https" },
        flags: [...flags, "--bcrypt-cost", "4"],
      });
      url = `https://127.0.0.1:${cluster.members[0]?.address.port}`;
      await makeUsers(etcd.replace(/etcd$/, "etcdctl"), url);
      process.env.SHOP_PASSWORD = passwords.shop;
      const where = { fleetFile: file("fleet.mjs"), dataFolder: file("data"), coordinator: url };
      fleet = await startFleet({ ...where, bootMs: patience.timeout });
    }, 300_000);
    afterAll(async () => {
      delete process.env.SHOP_PASSWORD;
      await fleet?.close();
      await cluster?.close();
      const left = leftBehind(folder);
      for (const { pid } of left) process.kill(pid, "SIGKILL");
      rmSync(folder, { recursive: true, force: true });
      expect(left).toEqual([]);
    }, 60_000);

    test("its members are there, and what is written through the gateway is in etcd", async () => {
      const members = await tenfold("members", "--fleet", "guarded", ...access(), "--json");
      expect(members).toMatchObject({ code: 0, err: "" });
      const ids = (JSON.parse(members.out) as Member[]).map(({ id }) => id);
      expect(ids).toEqual(expect.arrayContaining(["gateway", "notes-1", "notes-2"]));
      const ofRunning = await tenfold("members", "notes", "--data", fleet.dataFolder, "--json");
      expect(JSON.parse(ofRunning.out)).toHaveLength(2);
      const answer = await fetch(`${fleet.gateway}/notes/a`, {
        ...{ method: "PUT", body: '"one"' },
        headers: { "content-type": "application/json" },
      });
      expect(answer.status).toBe(204);
      expect(await tenfold("get", "/app/a", ...access())).toMatchObject({
        code: 0,
        out: '"one"\n',
      });
    }, 180_000);

    test("the commands write, watch, lock and elect", async () => {
      const watch = start("watch", "/app/w/", ...access());
      expect(await tenfold("put", "/app/w/b", "2", ...access())).toMatchObject({ code: 0 });
      await expect.poll(() => watch.said.out, patience).toContain("+ /app/w/b 2\n");
      watch.child.kill("SIGINT");
      expect(await watch.done).toMatchObject({ code: 0, err: "" });
      const token = "console.log(process.env.TENFOLD_FENCING_TOKEN)";
      for (const kind of ["lock", "elect"]) {
        const held = await tenfold(kind, "x", ...access(), "--", process.execPath, "-e", token);
        expect(held).toMatchObject({ code: 0, err: "" });
        expect(held.out).toMatch(/^[0-9a-f]{8}\.[0-9a-f]{16}\n$/);
      }
      const theirs = await tenfold("get", "/theirs/a", ...access());
      expect(theirs).toMatchObject({ code: 1 });
      expect(theirs.err).toMatch(/TENFOLD_COORDINATION_REFUSED.*permission denied/);
    }, 180_000);

    test.each([
      ["password", "WRONG_PASSWORD", "ca.pem", "TENFOLD_COORDINATION_REFUSED"],
      ["authority", "SHOP_PASSWORD", "other-ca.pem", "TENFOLD_COORDINATION_TLS_FAILED"],
    ])(
      "a wrong %s is named by commands and by a start, in one line",
      async (_, password, ca, code) => {
        const got = await tenfold("get", "/app/a", ...access(password, ca));
        writeFileSync(file("wrong.mjs"), fleetFile(password, ca));
        const ports = await claimPorts();
        const where = ["--data", file("none"), "--ports", String(ports.from)];
        const up = await tenfold("up", file("wrong.mjs"), "--coordinator", url, ...where);
        ports.release();
        for (const failed of [got, up]) {
          expect(failed.code).toBe(1);
          expect(failed.err).toMatch(new RegExp(`^tenfold: ${code}: .+\n$`));
          expect(secretsIn(failed.out + failed.err)).toEqual([]);
        }
      },
      180_000,
    );

    test("no secret is in what it logs, keeps, tells, and was started with", async () => {
      const { pid } = await fleet.kill("notes-1");
      await fleet.waitReady("notes-1", { afterPid: pid as number, deadlineMs: patience.timeout });
      await until("notes-1 to be listed again", patience.timeout, async () => {
        const { out } = await tenfold("members", "notes", "--data", fleet.dataFolder, "--json");
        return (JSON.parse(out) as Member[]).length === 2;
      });
      const reference = {
        user: "shop",
        password: "env:SHOP_PASSWORD",
        ca: `file:${file("ca.pem")}`,
      };
      expect(fleet.coordinatorAccess).toEqual(reference);
      const kept = JSON.parse(readFileSync(join(fleet.dataFolder, "supervisor.json"), "utf8"));
      expect(kept.access).toEqual(reference);
      const events = JSON.stringify(await fleet.events());
      expect(events).toContain("notes-1");
      expect(secretsIn(events)).toEqual([]);
      const files = filesBelow(fleet.dataFolder);
      expect(files.filter((path) => path.endsWith(".log")).length).toBeGreaterThan(0);
      for (const path of files)
        expect([path, secretsIn(readFileSync(path, "latin1"))]).toEqual([path, []]);
      const started = processTree(fleet.supervisorPid);
      expect(started.length).toBeGreaterThan(3);
      for (const each of started)
        expect(secretsIn(readFileSync(`/proc/${each}/cmdline`, "latin1"))).toEqual([]);
    }, 240_000);
  },
);

const secretsIn = (text: string): string[] =>
  Object.values(passwords).filter((secret) => text.includes(secret));

function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((name) => join(root, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

/** The shop may do what a fleet and these commands do, and no more. */
async function makeUsers(etcdctl: string, url: string): Promise<void> {
  const run = promisify(execFile);
  const env = { ...process.env, ETCDCTL_API: "3" };
  const ctl = (...args: string[]) =>
    run(etcdctl, ["--endpoints", url, "--cacert", file("ca.pem"), ...args], { env });
  for (const name of ["root", "shop"] as const) {
    await ctl("user", "add", `${name}:${passwords[name]}`);
    await ctl("role", "add", name);
    await ctl("user", "grant-role", name, name);
  }
  for (const prefix of ["/tenfold/", "/app/", "/locks/", "/elections/"])
    await ctl("role", "grant-permission", "--prefix=true", "shop", "readwrite", prefix);
  await ctl("auth", "enable");
}
