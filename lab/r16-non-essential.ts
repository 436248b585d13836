import { setTimeout as pause } from "node:timers/promises";
import { systemRuntime } from "tenfold/runtime";

import { demoPages } from "../apps/posts/src/traffic/demo-pages.ts";
import { createGatewayClient } from "../apps/posts/src/traffic/gateway-client.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import { type LabFleet, startFleet } from "./support/fleet.ts";
import { readMetrics } from "./support/metrics.ts";

const perSecond = 25;
const warmMs = 6_000;
const healthyMs = 8_000;
const awayMs = 14_000;
/** From the first kill until the circuits of all posts processes have seen enough. */
const opensWithinMs = 4_000;
/** Circuit and slow start have come back by then, and the restart delays are over. */
const backMs = 10_000;

/** A post with the address of a page, written through the gateway. */
interface Written {
  readonly atMs: number;
  readonly tookMs: number;
  readonly status: number;
  readonly hasPreview: boolean;
}

export const experiment = defineExperiment({
  id: "R16",
  title: "every instance of a service that is not essential is killed",
  claim:
    "While no instance of scrap lives, every post is written, without a preview and as fast as " +
    "before, since its circuit is open; previews come back with scrap.",
  expectedMinutes: 1.5,
  async run(lab) {
    const fleet = await startFleet({ say: lab.say });
    lab.atEnd(() => fleet.close());
    const load = await startWriting(fleet);
    await pause(warmMs + healthyMs, undefined, { signal: lab.signal });
    const killedAt = load.now();
    const kills = await keepDead(fleet, "scrap", killedAt + awayMs, load.now, lab.signal);
    const endedAt = load.now();
    for (const { name, service } of (await fleet.status()).instances) {
      if (service === "scrap") await fleet.waitReady(name, { deadlineMs: 60_000 });
    }
    const readyAt = load.now();
    await pause(backMs, undefined, { signal: lab.signal });
    const written = await load.stop();
    lab.say(`  ${kills} kills; scrap ready ${Math.round(readyAt - endedAt)} ms after the last`);
    judge(lab, written, { killedAt, endedAt, readyAt });
    await judgeMetrics(lab, fleet);
    draw(lab, written, { killedAt, endedAt, readyAt });
  },
});

interface Load {
  now(): number;
  stop(): Promise<readonly Written[]>;
}

/** Writes at a steady rate; every post has a page of its own, so no preview is in a cache. */
async function startWriting(fleet: LabFleet): Promise<Load> {
  const { instances } = await fleet.status();
  const pages = instances.find(({ service }) => service === "pages");
  const urls = demoPages(`http://${pages?.address}:${pages?.port}`);
  const client = createGatewayClient(fleet.gateway, systemRuntime.clock);
  const began = performance.now();
  const now = (): number => performance.now() - began;
  const written: Promise<Written>[] = [];
  let stopped = false;
  const write = async (number: number): Promise<Written> => {
    const atMs = now();
    const url = `${urls[number % urls.length]}?edition=${number}`;
    const body = { contents: `post ${number}`, url };
    const path = `/api/v1/posts/${number % 200}`;
    const idempotencyKey = `r16-${number}`;
    const { status, text, tookMs } = await client.call({
      ...{ method: "POST", path, body, idempotencyKey },
    });
    return { atMs, tookMs, status, hasPreview: text.includes('"preview"') };
  };
  const writing = (async () => {
    for (let number = 0; !stopped; number++) {
      const dueMs = (number * 1_000) / perSecond;
      if (dueMs > now()) await pause(dueMs - now());
      written.push(write(number));
    }
  })();
  return {
    now,
    async stop() {
      stopped = true;
      await writing;
      const all = await Promise.all(written);
      client.close();
      return all;
    },
  };
}

/** Kills every instance of a service, and each again as soon as the supervisor has started it. */
async function keepDead(
  fleet: LabFleet,
  service: string,
  untilMs: number,
  now: () => number,
  signal: AbortSignal,
): Promise<number> {
  const killed = new Map<string, number>();
  let kills = 0;
  while (now() < untilMs) {
    const { instances } = await fleet.status();
    for (const { name, service: own, pid } of instances) {
      if (own !== service || pid === undefined || killed.get(name) === pid) continue;
      killed.set(name, pid);
      kills++;
      // It may have ended in between.
      await fleet.kill(name).catch(() => {});
    }
    await pause(25, undefined, { signal });
  }
  return kills;
}

interface Times {
  readonly killedAt: number;
  readonly endedAt: number;
  readonly readyAt: number;
}

function judge(lab: Lab, written: readonly Written[], times: Times): void {
  const { killedAt, endedAt, readyAt } = times;
  const within = (from: number, to: number) =>
    written.filter(({ atMs }) => atMs >= from && atMs < to);
  const median = (list: readonly Written[]): number =>
    list.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
  const healthy = within(warmMs, killedAt);
  const away = within(killedAt + opensWithinMs, endedAt);
  const back = within(readyAt + backMs / 2, readyAt + backMs);
  const share = (list: readonly Written[]): number =>
    list.filter(({ hasPreview }) => hasPreview).length / list.length;
  const figure = (
    name: string,
    value: number,
    unit: string,
    goal?: { equals: number } | { atLeast: number } | { atMost: number },
  ): void => lab.figure({ name, value, unit, ...(goal && { goal }) });
  figure("posts written", written.length, "");
  figure("posts refused or failed", written.filter(({ status }) => status !== 201).length, "", {
    equals: 0,
  });
  figure("share with a preview, scrap alive", share(healthy), "", { atLeast: 0.95 });
  figure("share with a preview, scrap dead", share(away), "", { atMost: 0.05 });
  figure("share with a preview, scrap back", share(back), "", { atLeast: 0.95 });
  figure("time to write, median, scrap alive", median(healthy), "ms");
  figure("time to write, median, scrap dead", median(away), "ms");
  figure("the second beside the first", median(away) / median(healthy), "", { atMost: 1.2 });
}

/** What the posts processes counted themselves. */
async function judgeMetrics(lab: Lab, fleet: LabFleet): Promise<void> {
  const reasons = new Map<string, number>();
  const { instances } = await fleet.status();
  for (const { service, adminPort } of instances) {
    if (service !== "posts" || adminPort === undefined) continue;
    const metrics = await readMetrics(adminPort, fleet.token);
    for (const { labels, value } of metrics.get("tenfold_discovery_degraded_total") ?? []) {
      const { reason = "" } = labels;
      reasons.set(reason, (reasons.get(reason) ?? 0) + value);
    }
  }
  for (const [reason, count] of reasons) {
    lab.figure({ name: `degraded answers counted: ${reason}`, value: count, unit: "" });
  }
  lab.figure({
    name: "… by an open circuit",
    value: reasons.get("circuitOpen") ?? 0,
    unit: "",
    goal: { atLeast: 1 },
  });
}

function draw(lab: Lab, written: readonly Written[], { killedAt, readyAt }: Times): void {
  const stepMs = 1_000;
  const steps = Math.floor((written.at(-1)?.atMs ?? 0) / stepMs);
  const median = (list: readonly number[]): number =>
    list.toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
  const series = (name: string, hasPreview: boolean) => ({
    name,
    points: Array.from({ length: steps }, (_, i): [number, number] => {
      const own = written.filter((each) => {
        return Math.floor(each.atMs / stepMs) === i && each.hasPreview === hasPreview;
      });
      return [((i + 0.5) * stepMs) / 1_000, median(own.map(({ tookMs }) => tookMs))];
    }),
  });
  lab.plot({
    kind: "line",
    name: "latency",
    title: "Writing a post while every scrap instance is dead: median time",
    x: { label: "time, s" },
    y: { label: "ms" },
    series: [series("with preview", true), series("without", false)],
    marks: [
      { x: killedAt / 1_000, label: "scrap killed" },
      { x: readyAt / 1_000, label: "scrap back" },
    ],
  });
}
