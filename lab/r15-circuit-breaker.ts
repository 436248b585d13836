import { once } from "node:events";
import { Agent, createServer, get } from "node:http";
import type { AddressInfo } from "node:net";

import { type CallContext, type CallPolicy, callPolicy } from "tenfold/resilience";
import { systemClock } from "tenfold/runtime";

import { defineExperiment, type Lab } from "./support/experiment.ts";

const calleeMs = 20;
const timeoutMs = 300;
/** Requests come in at the rate that one worker can just serve. */
const paceMs = 20;
/** So long a request waits for its worker; an older one has gone elsewhere. */
const queueMs = 1_000;
const hangsAtMs = 4_000;
const healsAtMs = 14_000;
const endsAtMs = 24_000;
const openMsMax = 2_000;
const rampMs = 2_000;

/** A request that a worker has answered. */
interface Served {
  readonly atMs: number;
  readonly tookMs: number;
  readonly kind: "fresh" | "degraded" | "failed";
}

/**
 * Two workers, each with one call at a time, over a real HTTP server on loopback: one has a
 * time-out alone, one a circuit breaker and a fail-back besides. The server hangs for ten seconds.
 */
export const experiment = defineExperiment({
  id: "R15",
  title: "circuit breaker: 20 ms calls, 300 ms time-out, a callee that hangs",
  claim:
    "A worker that serves 50 requests a second serves 3 while the callee hangs; with the circuit " +
    "open it is back at full rate with fail-backs, and with fresh answers soon after the end.",
  expectedMinutes: 0.5,
  async run(lab) {
    const callee = await startCallee();
    lab.atEnd(() => callee.close());
    const alone = callPolicy({
      name: "recommendations",
      deadlineMs: timeoutMs,
      retry: false,
      breaker: false,
    });
    const guarded = callPolicy({
      name: "recommendations",
      deadlineMs: timeoutMs,
      retry: false,
      breaker: { consecutiveMax: 5, openMs: 1_000, openMsMax, rampMs },
    });
    const began = performance.now();
    const since = (): number => performance.now() - began;
    const script = async (): Promise<void> => {
      await systemClock.sleep(hangsAtMs, { signal: lab.signal });
      callee.hang(true);
      await systemClock.sleep(healsAtMs - since(), { signal: lab.signal });
      callee.hang(false);
    };
    const [without, withBreaker] = await Promise.all([
      work(alone, callee.call, since, lab.signal),
      work(guarded, callee.call, since, lab.signal),
      script(),
    ]);
    judge(lab, without, withBreaker);
    draw(lab, without, withBreaker);
    const changes = guarded.explain().filter(({ kind }) => kind === "circuitChanged");
    for (const { at, why } of changes) {
      lab.say(`    ${((at - began) / 1_000).toFixed(1).padStart(5)} s  circuit ${why}`);
    }
  },
});

interface Callee {
  hang(yes: boolean): void;
  /** A GET of it, with a signal that ends it. */
  readonly call: (context: CallContext) => Promise<string>;
  close(): Promise<void>;
}

async function startCallee(): Promise<Callee> {
  let hangs = false;
  const server = createServer((_request, response) => {
    if (!hangs) setTimeout(() => response.end("fresh"), calleeMs);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true });
  const call = ({ signal }: CallContext): Promise<string> =>
    new Promise((resolve, reject) => {
      const request = get({ host: "127.0.0.1", port, agent, signal }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          text += part;
        });
        response.on("end", () => resolve(text));
        response.on("error", reject);
      });
      request.on("error", reject);
    });
  return {
    hang: (yes) => {
      hangs = yes;
    },
    call,
    async close() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One worker: takes the next request when it has answered the one before. */
async function work(
  policy: CallPolicy,
  call: (context: CallContext) => Promise<string>,
  since: () => number,
  signal: AbortSignal,
): Promise<Served[]> {
  const served: Served[] = [];
  let dueMs = 0;
  while (since() < endsAtMs) {
    dueMs = Math.max(dueMs + paceMs, since() - queueMs);
    if (dueMs > since()) await systemClock.sleep(dueMs - since(), { signal });
    const from = since();
    const kind = await policy
      .runOr(call, () => "default order")
      .then(({ degraded }): Served["kind"] => (degraded ? "degraded" : "fresh"))
      .catch((): Served["kind"] => "failed");
    served.push({ atMs: since(), tookMs: since() - from, kind });
  }
  return served;
}

function perSecond(served: readonly Served[], fromMs: number, toMs: number): number {
  const within = served.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  return within.length / ((toMs - fromMs) / 1_000);
}

function judge(lab: Lab, without: readonly Served[], withBreaker: readonly Served[]): void {
  const rate = (name: string, value: number, goal: { atLeast: number } | { atMost: number }) =>
    lab.figure({ name, value, unit: "requests/s", goal });
  const healthy = { atLeast: 40 };
  rate("healthy, time-out alone", perSecond(without, 500, hangsAtMs), healthy);
  rate("healthy, with the breaker", perSecond(withBreaker, 500, hangsAtMs), healthy);
  const hung = [hangsAtMs + timeoutMs, healsAtMs] as const;
  rate("callee hangs, time-out alone", perSecond(without, ...hung), { atMost: 4 });
  const opened = withBreaker.find(({ atMs, tookMs }) => atMs > hangsAtMs && tookMs < 5)?.atMs;
  if (opened === undefined) throw new Error("the circuit did not open");
  lab.figure({
    name: "callee hangs: until the circuit opens",
    value: (opened - hangsAtMs) / 1_000,
    unit: "s",
    goal: { atMost: 3 },
  });
  rate(
    "callee hangs, circuit open, with fail-backs",
    perSecond(withBreaker, opened, healsAtMs),
    healthy,
  );
  const away = withBreaker.filter(({ atMs }) => atMs >= opened && atMs < healsAtMs);
  const took = away.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  lab.figure({
    name: "answer while open, median",
    value: took[took.length >> 1] ?? Number.NaN,
    unit: "ms",
    goal: { atMost: 2 },
  });
  lab.figure({
    name: "requests that failed, with the breaker",
    value: withBreaker.filter(({ kind }) => kind === "failed").length,
    unit: "",
    goal: { equals: 0 },
  });
  const last = withBreaker.findLast(({ kind }) => kind !== "fresh")?.atMs ?? Number.NaN;
  lab.figure({
    name: "after healing: until every answer is fresh",
    value: (last - healsAtMs) / 1_000,
    unit: "s",
    goal: { atMost: (openMsMax + rampMs) / 1_000 + 1 },
  });
  rate("healed, with the breaker", perSecond(withBreaker, last, endsAtMs), healthy);
}

function draw(lab: Lab, without: readonly Served[], withBreaker: readonly Served[]): void {
  const stepMs = 500;
  const points = (served: readonly Served[]): [number, number][] =>
    Array.from({ length: Math.floor(endsAtMs / stepMs) }, (_, i) => [
      ((i + 0.5) * stepMs) / 1_000,
      perSecond(served, i * stepMs, (i + 1) * stepMs),
    ]);
  lab.plot({
    kind: "line",
    name: "rate",
    title: "One worker, 20 ms calls, a callee that hangs: requests answered a second",
    x: { label: "time, s" },
    y: { label: "requests/s" },
    series: [
      { name: "time-out alone", points: points(without) },
      { name: "with breaker", points: points(withBreaker) },
      { name: "… fresh", points: points(withBreaker.filter(({ kind }) => kind === "fresh")) },
    ],
    marks: [
      { x: hangsAtMs / 1_000, label: "hangs" },
      { x: healsAtMs / 1_000, label: "healed" },
    ],
  });
}
