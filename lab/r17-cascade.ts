import { createServiceClient, type ServiceClient, staticResolver } from "tenfold/discovery";
import type { CallPolicyOptions } from "tenfold/resilience";
import { systemClock } from "tenfold/runtime";

import { type Fault, startChain, type Tier } from "./support/cascade/tiers.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";

const names = ["A", "B", "C", "D"] as const;
const perSecond = 20;
/** Calls that are made before, one after the other, so that no process is cold. */
const warmUpCalls = 150;
const faultAtMs = 2_000;
const healsAtMs = 8_000;
const endsAtMs = 14_000;
/** Goodput counts from here on: the circuit's open time and ramp are over. */
const recoversAtMs = healsAtMs + 4_000;
const deadlineMs = 1_500;
const tryTimeoutMs = 400;

/** A short window, so that calls of before the fault pay for few retries within it. */
const budget: CallPolicyOptions = {
  deadlineMs,
  retry: { attemptsMax: 3 },
  retryBudget: { ratio: 0.2, ttlMs: 1_000, reservePerSecond: 0 },
  breaker: false,
};
const variants: readonly { readonly name: string; readonly policy: "naive" | CallPolicyOptions }[] =
  [
    { name: "naive", policy: "naive" },
    { name: "one budget", policy: budget },
    {
      name: "budget and circuit",
      policy: { ...budget, breaker: { openMs: 500, openMsMax: 1_000, rampMs: 1_000 } },
    },
  ];

/**
 * Four tiers in four processes, A calls B calls C calls D. The leaf answers 503 at once, or works
 * for three seconds where its callers wait 400 ms, for six seconds; then it is well again.
 */
export const experiment = defineExperiment({
  id: "R17",
  title: "a chain of four services whose last one is dead or slow",
  claim:
    "The leaf gets at most 1.25 attempts for a call of the user, for the whole chain, where " +
    "three tries in each tier make up to 27; what a tier does without the leaf goes on; when the " +
    "fault ends so does its effect.",
  expectedMinutes: 1.8,
  async run(lab) {
    const drawn: { readonly name: string; readonly seen: readonly Seen[] }[] = [];
    for (const fault of ["dead", "slow"] as const) {
      for (const { name, policy } of variants) {
        lab.say(`leaf ${fault}, ${name}`);
        const seen = await runChain(lab, fault, name, policy);
        if (fault === "slow") drawn.push({ name, seen });
      }
    }
    draw(lab, drawn);
  },
});

interface Seen {
  readonly atMs: number;
  readonly status: number;
}

async function runChain(
  lab: Lab,
  fault: Fault,
  name: string,
  policy: "naive" | CallPolicyOptions,
): Promise<readonly Seen[]> {
  const tiers = await startChain(names.length, { policy, tryTimeoutMs, leafMs: 5, slowMs: 3_000 });
  lab.atEnd(() => endAll(tiers));
  const user = clientOf(tiers[0] as Tier);
  const leaf = tiers.at(-1) as Tier;
  for (let i = 0; i < warmUpCalls; i++) {
    for (const path of ["/work", "/local"]) {
      await user.request({ method: "GET", path }).catch(() => {});
    }
  }
  const began = performance.now();
  const since = (): number => performance.now() - began;
  const counts: number[][] = [];
  const count = async (): Promise<void> => {
    counts.push(await Promise.all(tiers.map((tier) => tier.attempts())));
  };
  const script = async (): Promise<void> => {
    await systemClock.sleep(faultAtMs - since(), { signal: lab.signal });
    await count();
    leaf.setFault(fault);
    await systemClock.sleep(Math.max(0, healsAtMs - since()), { signal: lab.signal });
    leaf.setFault("none");
    await count();
  };
  const [seen, local] = await Promise.all([
    ask(user, "/work", since, lab.signal),
    ask(user, "/local", since, lab.signal),
    script(),
  ]);
  await count();
  await user.close();
  await endAll(tiers);
  judge(lab, { fault, name, seen, local, counts });
  return seen;
}

/** The user does not try again: each call is one. */
function clientOf(tier: Tier): ServiceClient {
  return createServiceClient("a", {
    resolver: staticResolver({ a: [{ address: "127.0.0.1", port: tier.port }] }),
    policy: { retry: false, breaker: false, deadlineMs: 5_000, tryTimeoutMs: 5_000 },
  });
}

async function endAll(tiers: readonly Tier[]): Promise<void> {
  await Promise.all(tiers.map((tier) => tier.end()));
}

/** Calls at a steady rate, whatever became of those before. */
async function ask(
  client: ServiceClient,
  path: string,
  since: () => number,
  signal: AbortSignal,
): Promise<readonly Seen[]> {
  const seen: Promise<Seen>[] = [];
  for (let due = 0; due < endsAtMs; due += 1_000 / perSecond) {
    if (due > since()) await systemClock.sleep(due - since(), { signal });
    const atMs = since();
    const asked = client.request({ method: "GET", path }).then(
      ({ status }) => ({ atMs, status }),
      () => ({ atMs, status: 0 }),
    );
    seen.push(asked);
  }
  return await Promise.all(seen);
}

interface Outcome {
  readonly fault: Fault;
  readonly name: string;
  readonly seen: readonly Seen[];
  readonly local: readonly Seen[];
  /** Requests at each tier, before and after the fault and at the end. */
  readonly counts: readonly (readonly number[])[];
}

function judge(lab: Lab, { fault, name, seen, local, counts }: Outcome): void {
  const isNaive = name === "naive";
  const [before = [], healed = [], end = []] = counts;
  const [offered = 0, calledAfter = 0] = [
    (healed[0] as number) - (before[0] as number),
    (end[0] as number) - (healed[0] as number),
  ];
  // What the fault caused may come in after its end.
  const caused = names.map((_, i) => (end[i] ?? 0) - (before[i] ?? 0) - calledAfter);
  for (const [i, tier] of names.entries()) {
    const isLeaf = i === names.length - 1;
    lab.figure({
      name: `leaf ${fault}, ${name}: requests at ${tier} for one of the user's`,
      value: (caused[i] as number) / offered,
      unit: "",
      ...(isLeaf && !isNaive && { goal: { atMost: 1.25 } }),
    });
  }
  const good = (from: number, to: number): number => {
    const within = seen.filter(({ atMs }) => atMs >= from && atMs < to);
    return within.filter(({ status }) => status === 200).length / within.length;
  };
  const figure = (what: string, value: number, goal?: { atLeast: number }): void =>
    lab.figure({
      name: `leaf ${fault}, ${name}: ${what}`,
      value,
      unit: "",
      ...(goal !== undefined && !isNaive && { goal }),
    });
  figure("share that goes well, before", good(500, faultAtMs));
  figure("share that goes well, after", good(recoversAtMs, endsAtMs), { atLeast: 0.95 });
  const answered = local.filter(({ status }) => status === 200).length / local.length;
  figure("share of A's own answers, all the time", answered, { atLeast: 0.99 });
}

function draw(
  lab: Lab,
  drawn: readonly { readonly name: string; readonly seen: readonly Seen[] }[],
): void {
  const stepMs = 500;
  lab.plot({
    kind: "line",
    name: "goodput",
    title: "A chain of four, its leaf slow for six seconds: answers of status 200",
    x: { label: "time of the call, s" },
    y: { label: "calls/s" },
    series: drawn.map(({ name, seen }) => ({
      name,
      points: Array.from({ length: endsAtMs / stepMs }, (_, i): [number, number] => {
        const good = seen.filter(
          ({ atMs, status }) => status === 200 && Math.floor(atMs / stepMs) === i,
        );
        return [((i + 0.5) * stepMs) / 1_000, good.length / (stepMs / 1_000)];
      }),
    })),
    marks: [
      { x: faultAtMs / 1_000, label: "slow" },
      { x: healsAtMs / 1_000, label: "well" },
    ],
  });
}
