import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { systemRuntime } from "tenfold/runtime";

import { createGatewayClient } from "../apps/posts/src/traffic/gateway-client.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import { type LabFleet, startFleet, until } from "./support/fleet.ts";

const ttlMs = 3_000;
const callers = 4;
const thinkMs = 10;
const heartbeatEveryMs = ttlMs / 3;
/** How long the instance is there, and how long the fleet is watched after it. */
const thereMs = 8_000;
const afterMs = 4_000;
/** What a registry, a coordinator and a balancer on a busy machine may add to the time to live. */
const slackMs = 1_500;

const run = promisify(execFile);

export const experiment = defineExperiment({
  id: "R63",
  title: "curl registers a service that the fleet then calls",
  claim:
    "An instance that is no program of ours joins a service by one curl, is called through the " +
    "gateway like the others, is seen by a watch over server-sent events, and is gone within its " +
    "time to live when its heartbeats end, without a failed request.",
  expectedMinutes: 1,
  async run(lab) {
    const fleet = await startFleet({ say: lab.say });
    lab.atEnd(() => fleet.close());
    const registry = await registryOf(fleet);
    const foreign = await startForeign(lab);
    const events = await watchEvents(lab, registry, fleet.token);
    const load = startLoad(fleet.gateway);
    await pause(2_000, undefined, { signal: lab.signal });

    const registeredAt = performance.now();
    const body = JSON.stringify({ address: "127.0.0.1", port: foreign.port, ttlMs });
    await curl(registry, fleet.token, "PUT", "/geoip/geoip-by-curl", body);
    await until("the foreign instance to be called", 10_000, () => foreign.calls.length > 0);
    const calledAt = foreign.calls[0] as number;
    const beats = thereMs / heartbeatEveryMs;
    for (let beat = 0; beat < beats; beat++) {
      await pause(heartbeatEveryMs, undefined, { signal: lab.signal });
      await curl(registry, fleet.token, "POST", "/geoip/geoip-by-curl/heartbeat");
    }
    const lastBeatAt = performance.now();
    await until("it to be gone", ttlMs * 4, () => !(events().at(-1) ?? "").includes("by-curl"));
    const goneAt = performance.now();
    await pause(afterMs, undefined, { signal: lab.signal });
    await load.stop();
    report(lab, {
      joinMs: calledAt - registeredAt,
      goneMs: goneAt - lastBeatAt,
      lateMs: (foreign.calls.at(-1) as number) - goneAt,
      calls: foreign.calls.length,
      events: events().length,
      ...load.counts(),
    });
    draw(lab, foreign.calls, { registeredAt, lastBeatAt, goneAt });
  },
});

async function registryOf(fleet: LabFleet): Promise<string> {
  const { instances } = await fleet.status();
  const own = instances.find(({ kind }) => kind === "registry");
  if (own === undefined) throw new Error("the fleet has no registry");
  return `http://${own.address}:${own.port}/v1/services`;
}

async function curl(
  registry: string,
  token: string,
  method: string,
  path: string,
  body?: string,
): Promise<void> {
  await run("curl", [
    ...["--silent", "--show-error", "--fail", "--max-time", "10", "-X", method],
    ...["-H", `authorization: Bearer ${token}`],
    ...(body === undefined ? [] : ["-H", "content-type: application/json", "-d", body]),
    registry + path,
  ]);
}

/** An instance of geoip that knows nothing of Tenfold. */
async function startForeign(lab: Lab): Promise<{ port: number; calls: readonly number[] }> {
  const calls: number[] = [];
  const server = createServer((request, response) => {
    calls.push(performance.now());
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ip: request.url?.split("/").at(-1), country: "KR" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  lab.atEnd(() => void server.closeAllConnections());
  lab.atEnd(() => void server.close());
  return { port: (server.address() as AddressInfo).port, calls };
}

/** The data of every event of a watch so far. */
async function watchEvents(lab: Lab, registry: string, token: string) {
  const stop = new AbortController();
  lab.atEnd(() => stop.abort());
  const response = await fetch(`${registry}/geoip/watch`, {
    headers: { authorization: `Bearer ${token}` },
    signal: stop.signal,
  });
  if (!response.ok || response.body === null) throw new Error(`watch: ${response.status}`);
  let text = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
      text += decoder.decode(bytes, { stream: true });
    }
  })();
  reading.catch(() => {});
  return (): readonly string[] =>
    [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data ?? "");
}

function startLoad(gateway: string) {
  const client = createGatewayClient(gateway, systemRuntime.clock);
  let answered = 0;
  let failed = 0;
  let stopped = false;
  const call = async (from: number): Promise<void> => {
    for (let at = from; !stopped; at += callers) {
      const { status } = await client.call({
        method: "GET",
        path: `/api/v1/geoip/192.0.2.${at % 256}`,
      });
      if (status === 200) answered++;
      else failed++;
      await pause(thinkMs);
    }
  };
  const running = Promise.all(Array.from({ length: callers }, (_, at) => call(at)));
  return {
    counts: () => ({ answered, failed }),
    async stop() {
      stopped = true;
      await running;
      client.close();
    },
  };
}

interface Outcome {
  readonly joinMs: number;
  readonly goneMs: number;
  readonly lateMs: number;
  readonly calls: number;
  readonly events: number;
  readonly answered: number;
  readonly failed: number;
}

function report(lab: Lab, outcome: Outcome): void {
  const { joinMs, goneMs, lateMs, calls, events, answered, failed } = outcome;
  const figure = lab.figure;
  figure({ name: "from the curl to the first call", value: joinMs, unit: "ms" });
  figure({ name: "calls that it got", value: calls, unit: "", goal: { atLeast: 10 } });
  figure({
    name: `from its last heartbeat until it is gone, of ${ttlMs} ms`,
    value: goneMs,
    unit: "ms",
    goal: { atMost: ttlMs + slackMs },
  });
  const goal = { atMost: slackMs };
  figure({ name: "its last call after it was gone", value: lateMs, unit: "ms", goal });
  figure({ name: "events of the watch", value: events, unit: "", goal: { atLeast: 3 } });
  figure({ name: "requests answered", value: answered, unit: "" });
  figure({ name: "requests failed", value: failed, unit: "", goal: { equals: 0 } });
}

const binMs = 250;

function draw(
  lab: Lab,
  calls: readonly number[],
  at: { registeredAt: number; lastBeatAt: number; goneAt: number },
): void {
  const from = at.registeredAt - 2_000;
  const bins = Array.from({ length: Math.ceil((at.goneAt + afterMs - from) / binMs) }, () => 0);
  for (const call of calls) {
    const bin = Math.floor((call - from) / binMs);
    if (bin in bins) bins[bin] = (bins[bin] as number) + 1;
  }
  const seconds = (ms: number): number => (ms - from) / 1_000;
  lab.plot({
    kind: "line",
    name: "calls",
    title: "Calls of an instance that curl registered",
    x: { label: "time, s" },
    y: { label: "calls/s" },
    series: [
      {
        name: "geoip-by-curl",
        points: bins.map((count, bin) => [(bin * binMs) / 1_000, (count * 1_000) / binMs] as const),
      },
    ],
    marks: [
      { x: seconds(at.registeredAt), label: "registered" },
      { x: seconds(at.lastBeatAt), label: "last heartbeat" },
      { x: seconds(at.goneAt), label: "gone" },
    ],
  });
}
