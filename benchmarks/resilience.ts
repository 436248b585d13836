import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { GCProfiler } from "node:v8";

import {
  circuitBreaker as cockatielBreaker,
  ExponentialBackoff,
  handleAll,
  retry,
  SamplingBreaker,
  TimeoutStrategy,
  timeout,
  wrap,
} from "cockatiel";
import { balancer } from "tenfold/balancing";
import {
  bulkhead,
  callPolicy,
  circuitBreaker,
  deadlineAfter,
  gcra,
  retryBudget,
} from "tenfold/resilience";
import { systemRandom } from "tenfold/runtime";

/**
 * What a policy costs a call: the decisions alone, a guarded call, a call that an open circuit
 * turns away, a call that fails with few and with many samples in the window; beside cockatiel
 * (retry, circuit, time-out) and opossum (circuit with time-out) in the same run, as ratios. CPU
 * time of this process and bytes that it allocates, the median of rounds. `--calls` a round,
 * `--rounds`, `--json`.
 */
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    calls: { type: "string", default: "50000" },
    rounds: { type: "string", default: "7" },
  },
});
const callsPerRound = Number(values.calls);
const rounds = Number(values.rounds);

interface Opossum {
  fire(): Promise<unknown>;
  open(): void;
  shutdown(): void;
}
const OpossumBreaker = createRequire(import.meta.url)("opossum") as new (
  action: () => Promise<unknown>,
  options: Readonly<Record<string, unknown>>,
) => Opossum;

const works = async (): Promise<number> => 7;
const fails = async (): Promise<never> => {
  throw down;
};
const down = new Error("down");

function opossum(action: () => Promise<unknown>, options = {}): Opossum {
  return new OpossumBreaker(action, { timeout: 2_000, ...options });
}

const usualSampling = { threshold: 0.5, duration: 10_000, minimumRps: 2 };

function cockatiel(withRetry: boolean, sampling = usualSampling) {
  const breaker = cockatielBreaker(handleAll, {
    halfOpenAfter: 60_000,
    breaker: new SamplingBreaker(sampling),
  });
  const retries = retry(handleAll, { maxAttempts: 1, backoff: new ExponentialBackoff() });
  const inner = wrap(breaker, timeout(2_000, TimeoutStrategy.Aggressive));
  return { breaker, policy: withRetry ? wrap(retries, inner) : inner };
}

/** Nanoseconds of CPU for one `run`; each round begins with what `prepare` makes. */
async function cost(run: () => unknown, calls: number = callsPerRound): Promise<number> {
  const costs: number[] = [];
  for (let round = -3; round < rounds; round++) {
    globalThis.gc?.();
    const before = process.cpuUsage();
    for (let i = 0; i < calls; i++) {
      const result = run();
      if (result instanceof Promise) await result.catch(() => {});
    }
    const { user, system } = process.cpuUsage(before);
    // The first rounds only warm up.
    if (round >= 0) costs.push(((user + system) * 1_000) / calls);
  }
  return Math.round(costs.toSorted((a, b) => a - b)[rounds >> 1] as number);
}

/** Bytes that one `run` allocates, what is collected meanwhile among them. */
async function allocation(run: () => unknown, calls: number = 20_000): Promise<number> {
  const all: number[] = [];
  for (let round = -3; round < rounds; round++) {
    globalThis.gc?.();
    const profiler = new GCProfiler();
    profiler.start();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < calls; i++) {
      const result = run();
      if (result instanceof Promise) await result.catch(() => {});
    }
    const after = process.memoryUsage().heapUsed;
    const collected = profiler.stop().statistics.reduce((sum, { beforeGC, afterGC }) => {
      const { usedHeapSize } = beforeGC.heapStatistics;
      return sum + usedHeapSize - afterGC.heapStatistics.usedHeapSize;
    }, 0);
    if (round >= 0) all.push((after - before + collected) / calls);
  }
  return Math.round(all.toSorted((a, b) => a - b)[rounds >> 1] as number);
}

/** The decisions that a call with all layers takes, as the service client takes them. */
function decisions(): { readonly stack: () => void; readonly withPick: () => void } {
  const breaker = circuitBreaker();
  const budget = retryBudget();
  const places = bulkhead();
  const limiter = gcra({ perSecond: 1_000_000, burst: 1_000_000 });
  const hosts = balancer({ random: systemRandom });
  hosts.update(["a", "b", "c", "d"].map((id) => ({ id, weight: 1 })));
  const stack = (): void => {
    const now = performance.now();
    limiter.take(now);
    budget.deposit(now);
    const permit = breaker.admit(now);
    places.enter();
    places.leave(now);
    breaker.settle(permit, now, "success", 1);
  };
  const withPick = (): void => {
    const deadline = deadlineAfter(performance.now(), 5_000);
    stack();
    const now = performance.now();
    const picked = hosts.pick(now);
    picked?.report(now, "success", 1 + deadline.remainingMs(now) / 10_000);
    picked?.release();
  };
  return { stack, withPick };
}

/** CPU of one failing call while so many calls are in the window. */
async function failing(
  samples: number,
): Promise<{ readonly [who in "Tenfold" | "cockatiel" | "opossum"]: number }> {
  let action: () => Promise<unknown> = works;
  const run = (): Promise<unknown> => action();
  const policy = callPolicy({
    retry: false,
    breaker: { callsMin: 1_000_000, consecutiveMax: 1_000_000, windowMs: 600_000 },
  });
  const sampling = { threshold: 0.999, duration: 600_000, minimumRps: 1e9 };
  const trio = cockatiel(false, sampling).policy;
  const peer = opossum(run, { volumeThreshold: 1e9, rollingCountTimeout: 600_000 });
  for (let i = 0; i < samples; i++) {
    await policy.run(run);
    await trio.execute(run);
    await peer.fire();
  }
  action = fails;
  const calls = samples > 10_000 ? 20 : 1_000;
  const result = {
    Tenfold: await cost(() => policy.run(run), 20_000),
    cockatiel: await cost(() => trio.execute(run), 20_000),
    opossum: await cost(() => peer.fire(), calls),
  };
  peer.shutdown();
  return result;
}

const open = circuitBreaker();
open.forceOpen(0);
const openPolicy = callPolicy({ idempotent: true });
openPolicy.breaker?.forceOpen(0);
// Its retry would repeat what its circuit turned away, 128 ms later.
const openCockatiel = cockatiel(false);
openCockatiel.breaker.isolate();
const openOpossum = opossum(works, { resetTimeout: 600_000 });
openOpossum.open();
const okPolicy = callPolicy({ idempotent: true });
const okCockatiel = cockatiel(true);
const okOpossum = opossum(works);
const { stack, withPick } = decisions();

const figures: Record<string, number> = {
  "decisions: limit, budget, circuit, bulkhead, ns": await cost(stack, 10 * callsPerRound),
  "decisions: the same, deadline and pick of four hosts, ns (goal 1,000)": await cost(
    withPick,
    10 * callsPerRound,
  ),
  "decisions: limit, budget, circuit, bulkhead, bytes allocated (goal 16)": await allocation(
    stack,
    10 * callsPerRound,
  ),
  "decisions: the same, deadline and pick of four hosts, bytes allocated": await allocation(
    withPick,
    10 * callsPerRound,
  ),
  "reading the clock, in each of the above, ns": await cost(
    () => performance.now(),
    10 * callsPerRound,
  ),
  "decision: open circuit, with its error, ns (goal 200)": await cost(() => {
    const now = performance.now();
    return open.admit(now) === 0 ? open.refusal(now) : undefined;
  }, 10 * callsPerRound),
  "no guard: an awaited function, ns": await cost(works),
  "guarded call, Tenfold (all layers), ns": await cost(() => okPolicy.run(works)),
  "guarded call, cockatiel (retry, circuit, time-out), ns": await cost(() =>
    okCockatiel.policy.execute(works),
  ),
  "guarded call, opossum (circuit, time-out), ns": await cost(() => okOpossum.fire()),
  "guarded call, Tenfold (all layers), bytes allocated": await allocation(() =>
    okPolicy.run(works),
  ),
  "guarded call, cockatiel (retry, circuit, time-out), bytes allocated": await allocation(() =>
    okCockatiel.policy.execute(works),
  ),
  "guarded call, opossum (circuit, time-out), bytes allocated": await allocation(() =>
    okOpossum.fire(),
  ),
  "turned away by an open circuit, Tenfold, ns": await cost(() => openPolicy.run(works)),
  "turned away by an open circuit, cockatiel, ns": await cost(() =>
    openCockatiel.policy.execute(works),
  ),
  "turned away by an open circuit, opossum, ns": await cost(() => openOpossum.fire()),
};
for (const samples of [0, 1_000, 50_000]) {
  for (const [who, ns] of Object.entries(await failing(samples))) {
    figures[`failing call, ${samples} in the window, ${who}, ns`] = ns;
  }
}
const ratio = (ours: string, theirs: string): number =>
  Math.round(((figures[ours] ?? Number.NaN) / (figures[theirs] ?? Number.NaN)) * 1_000) / 1_000;
const name = (what: string, who: string): string => `${what}, ${who}, ns`;
figures["guarded call beside cockatiel, ratio"] = ratio(
  "guarded call, Tenfold (all layers), ns",
  "guarded call, cockatiel (retry, circuit, time-out), ns",
);
figures["guarded call beside opossum, ratio"] = ratio(
  "guarded call, Tenfold (all layers), ns",
  "guarded call, opossum (circuit, time-out), ns",
);
for (const peer of ["cockatiel", "opossum"]) {
  const away = "turned away by an open circuit";
  figures[`turned away beside ${peer}, ratio`] = ratio(name(away, "Tenfold"), name(away, peer));
}
const many = "failing call, 50000 in the window";
figures["failing call, 50,000 in the window beside none, ratio"] = ratio(
  name(many, "Tenfold"),
  name("failing call, 0 in the window", "Tenfold"),
);
for (const peer of ["cockatiel", "opossum"]) {
  figures[`failing call, 50,000 in the window, beside ${peer}, ratio`] = ratio(
    name(many, "Tenfold"),
    name(many, peer),
  );
}
for (const peer of ["cockatiel (retry, circuit, time-out)", "opossum (circuit, time-out)"]) {
  figures[`guarded call, bytes allocated beside ${peer}, ratio`] = ratio(
    "guarded call, Tenfold (all layers), bytes allocated",
    `guarded call, ${peer}, bytes allocated`,
  );
}
for (const each of [openOpossum, okOpossum]) each.shutdown();
if (values.json) console.log(JSON.stringify({ benchmark: "resilience", figures }));
else for (const [label, figure] of Object.entries(figures)) console.log(`  ${label}: ${figure}`);
