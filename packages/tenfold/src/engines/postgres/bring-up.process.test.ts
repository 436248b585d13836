import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { bringUpShard, shardServers, shardSteps } from "./bring-up.ts";
import { type PgClient, withClient } from "./client.ts";
import { type PostgresEngine, postgresEngine } from "./engine.ts";
import type { PostgresServer } from "./server.ts";
import { postgresShardPlan } from "./shard-plan.ts";
import { type StartedServer, startServer } from "./start-server.ts";

const portsFrom = 10_000 + (process.pid % 2_000) * 10;
const running = new Map<string, StartedServer>();
const steps: string[] = [];
let folder: string;
let engine: PostgresEngine;
let servers: readonly PostgresServer[];

const host = {
  start: (server: PostgresServer) => void running.set(server.spec.name, startServer(server)),
  failure: (server: PostgresServer) => running.get(server.spec.name)?.failure(),
};

const sql = <T>(server: PostgresServer, work: (client: PgClient) => Promise<T>): Promise<T> =>
  withClient(engine.pg, server.superuser(), work);

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "tenfold-pg-")));
  engine = await postgresEngine({ folder, resolveFrom: import.meta.url });
  const plan = postgresShardPlan({
    store: "posts",
    shards: 1,
    standbys: 2,
    address: "127.0.0.1",
    portsFrom,
    folder,
  });
  servers = shardServers(engine, plan[0]!);
  const began = performance.now();
  await bringUpShard(shardSteps(engine, servers, host), {
    onStep: ({ title }) => {
      steps.push(title);
      console.log(Math.round(performance.now() - began), title);
    },
  });
});

afterAll(async () => {
  await Promise.all([...running.values()].map((server) => server.close()));
  await rm(folder, { recursive: true, force: true });
});

test("x", async () => {
  console.log(steps, engine.runAs.way);
  await sql(servers[0]!, (c) => c.query("create table t (n int)"));
});
