import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fleetKeys } from "tenfold/coordination";
import { formatMember } from "tenfold/discovery";
import { createMemoryCoordinator } from "tenfold/engines/memory";
import { createSettings, defineSettings, settingsAdmin } from "tenfold/flags";
import { encodeSlotMap, evenSlotMap } from "tenfold/partitioning";
import { encodeTopology } from "tenfold/replication";
import { systemClock, systemRuntime } from "tenfold/runtime";
import { afterEach, expect, test } from "vitest";

import { type Collector, createCollector } from "./collector.ts";
import type { ConsoleState } from "./console-state.ts";
import { fleetView } from "./fleet-view.ts";
import { supervisorClient } from "./supervisor-client.ts";

const token = "a-token";
const open: Server[] = [];
let collector: Collector | undefined;

afterEach(async () => {
  await collector?.close();
  for (const server of open.splice(0)) server.close().closeAllConnections();
});

async function listen(answer: RequestListener, port = 0): Promise<number> {
  const server = createServer((request, response) => {
    if (request.headers.authorization === `Bearer ${token}`) return answer(request, response);
    response.writeHead(401).end();
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

test("maps, metrics and supervisor come together; what falls silent leaves its last word", async () => {
  let failed = 0;
  const gateway: RequestListener = (_, response) => {
    response.end(`tenfold_gateway_failed_total ${++failed}\nprocess_start_time_seconds 7\n`);
  };
  const adminPort = await listen(gateway);
  const supervised = (state: string) => ({
    name: "gateway",
    service: "gateway",
    kind: "gateway",
    address: "127.0.0.1",
    port: 8080,
    adminPort,
    state,
    pid: 12,
    restarts: 0,
    startedAtMs: 5,
  });
  const event = { sequence: 1, timeMs: 9, kind: "ready", instance: "gateway", message: "ready" };
  const supervisorPort = await listen((request, response) => {
    const path = request.url ?? "";
    if (path === "/v1/state") {
      const instances = [supervised("ready")];
      response.end(JSON.stringify({ fleet: "shop", host: "local", instances }));
    } else if (path.startsWith("/v1/events?after=0&")) {
      response.end(JSON.stringify({ events: [event] }));
    }
    // Later event requests stay open, as a long poll does.
  });

  const coordinator = createMemoryCoordinator();
  const keys = fleetKeys("shop");
  const member = formatMember({
    id: "items-1",
    service: "items",
    host: "b",
    zone: "z",
    address: "127.0.0.1",
    port: 1,
    adminPort: 1,
    protocol: "http",
    version: "0.1.0",
    weight: 1,
    pid: 3,
    startedAtMs: 5,
  });
  const primary = { id: "pg-db-0-1", address: "127.0.0.1", port: 5 };
  const topology = encodeTopology({ version: 1, epoch: 4, primary, standbys: [] });
  await coordinator.transact({
    change: [
      { put: keys.member("items", "items-1"), value: member },
      { put: keys.topology("db", "db-0"), value: topology },
      { put: keys.placement("db"), value: encodeSlotMap(evenSlotMap(["db-0"], 16)) },
    ],
  });

  const definitions = defineSettings({
    "items.limit": { kind: "number", default: 10, min: 1, max: 99, description: "How many." },
  });
  const settings = createSettings({ coordinator, fleet: "shop", definitions });
  const admin = settingsAdmin({ coordinator, fleet: "shop" });

  const view = fleetView("shop", "local");
  const state = (): ConsoleState => view.state(systemClock.now(), systemClock.wallNow());
  collector = createCollector({
    fleet: "shop",
    view,
    coordinator,
    supervisor: supervisorClient(`http://127.0.0.1:${supervisorPort}`, token),
    token,
    runtime: systemRuntime,
    onRound: () => {},
  });

  await expect.poll(() => state().totals.failed).toBeGreaterThan(1);
  const well = state();
  expect(well.sources.supervisor.reachable).toBe(true);
  expect(well.sources.coordinator.reachable).toBe(true);
  expect(well.instances.map(({ name, host }) => [name, host])).toEqual([
    ["gateway", "local"],
    ["items-1", "b"],
  ]);
  expect(well.instances.map(({ status }) => status)).toEqual(["ready", "silent"]);
  expect(well.shards).toEqual([
    { store: "db", shard: "db-0", epoch: 4, primary: "pg-db-0-1", standbys: [] },
  ]);
  const ranges = [{ first: 0, last: 15, shard: "db-0" }];
  expect(well.placements).toEqual([{ store: "db", slots: 16, ranges }]);
  expect(well.events.map(({ message }) => message)).toEqual(["ready"]);
  expect(well.members).toMatchObject([{ name: "items-1", service: "items", zone: "z", weight: 1 }]);
  await expect.poll(() => state().settings).toMatchObject([{ name: "items.limit", value: "10" }]);
  await admin.set({ name: "items.limit", value: 7, by: "mina", why: "too many" });
  const change = { number: 1, value: "7", by: "mina", why: "too many" };
  await expect
    .poll(() => state().settings)
    .toMatchObject([{ name: "items.limit", value: "7", changes: [change] }]);
  await settings.close();

  for (const server of open.splice(0)) server.close().closeAllConnections();
  await coordinator.close();
  await expect.poll(() => state().sources.supervisor.reachable).toBe(false);
  await expect.poll(() => state().instances[0]?.status).toBe("silent");
  const gone = state();
  expect(gone.totals.failed).toBe(failed);
  expect(gone.shards).toEqual(well.shards);
  expect(gone.sources.coordinator.reachable).toBe(false);
  expect(gone.instances).toHaveLength(2);
});
