import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { findEngine, whyMissing } from "../../../tools/engines/index.ts";
import { type ProxySetup, startLocalProxy } from "./local-proxy.ts";
import { plainCaller } from "./plain-caller.ts";
import { startWorkHost, type WorkHost } from "./work-hosts.ts";

const folder = mkdtempSync(join(tmpdir(), "tenfold-proxy-"));
let hosts: readonly WorkHost[] = [];

beforeAll(async () => {
  const start = (id: string) => startWorkHost(id, { servers: 1, places: 10 });
  hosts = await Promise.all(["s0", "s1"].map(start));
});
afterAll(async () => {
  await Promise.all(hosts.map((host) => host.close()));
  rmSync(folder, { recursive: true, force: true });
});

describe.each(["haproxy", "nginx"] as const)("%s before two hosts, one of them failing", (name) => {
  test.for<ProxySetup>(["plain", "tuned"])("%s", async (setup, { skip }) => {
    const engine = findEngine(name);
    if (engine === undefined) return skip(whyMissing(name));
    const ports = hosts.map((host) => host.ports[0] as number);
    const own = mkdtempSync(join(folder, `${name}-`));
    const proxy = await startLocalProxy({ engine, setup, ports, folder: own, tryTimeoutMs: 2_000 });
    const caller = plainCaller(proxy.port);
    try {
      const ask = async (): Promise<number> => (await caller.get("/work?ms=1")).status;
      for (let call = 0; call < 10; call++) expect(await ask()).toBe(200);
      hosts[0]?.behave("failing");
      const failing = await fetch(`http://127.0.0.1:${ports[0]}/work`);
      expect(failing.status).toBe(503);
      const statuses: number[] = [];
      for (let call = 0; call < 20; call++) statuses.push(await ask());
      expect(statuses).toContain(200);
      expect(statuses.includes(503)).toBe(setup === "plain");
    } finally {
      hosts[0]?.behave("well");
      caller.close();
      await proxy.close();
    }
  });
});
