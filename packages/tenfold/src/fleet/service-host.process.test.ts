import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { silentLog } from "../runtime/log.ts";
import { systemRuntime } from "../runtime/runtime.ts";
import { parseInstanceEnvironment } from "./instance-environment.ts";
import { defineService } from "./service.ts";
import { ServiceHost, serviceHostDefaults } from "./service-host.ts";

/** A host whose wait for its callers, when it stops, is over when the test says so. */
function heldHost() {
  const folder = mkdtempSync(join(tmpdir(), "tenfold-host-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const answer = Promise.withResolvers<void>();
  const heard = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const coordinator = createMemoryCoordinator();
  const { clock } = systemRuntime;
  const host = new ServiceHost({
    service: defineService({
      name: "example",
      start: () => ({
        routes: {
          "GET /": () => ({ status: 200 }),
          "GET /held": async () => {
            asked.resolve();
            await answer.promise;
            return { status: 200 };
          },
        },
      }),
    }),
    environment: parseInstanceEnvironment(
      { TENFOLD_DATA: folder },
      { service: "example", pid: process.pid },
    ),
    runtime: {
      ...systemRuntime,
      log: silentLog,
      clock: {
        ...clock,
        sleep: (ms, options) =>
          ms === serviceHostDefaults.propagationMs ? heard.promise : clock.sleep(ms, options),
      },
    },
    connectCoordinator: () => coordinator,
  });
  return { host, answer, heard, asked };
}

it("serves new callers until all have heard that it goes, and then only those under way", async () => {
  const { host, answer, heard, asked } = heldHost();
  const { port, adminPort } = await host.start();
  const at = `http://127.0.0.1:${port}`;
  const held = fetch(`${at}/held`);
  await asked.promise;
  const stopped = host.stop();
  const readiness = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
  expect([readiness.status, await readiness.json()]).toEqual([
    503,
    { status: "not ready", reason: "stopping" },
  ]);
  const late = await fetch(at);
  expect([late.status, late.headers.get("connection")]).toEqual([200, "close"]);
  heard.resolve();
  const refused = async (): Promise<boolean> =>
    fetch(at).then(
      () => false,
      () => true,
    );
  await expect.poll(refused).toBe(true);
  answer.resolve();
  expect((await held).status).toBe(200);
  await stopped;
});
