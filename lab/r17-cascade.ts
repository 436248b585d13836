import { createServiceClient, type ServiceClient, staticResolver } from "tenfold/discovery";
import {
  type CallPolicyOptions,
  callPolicyDefaults,
  retryBudgetDefaults,
} from "tenfold/resilience";
import { systemClock } from "tenfold/runtime";

import { type Fault, startChain, type Tier } from "./support/cascade/tiers.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import type { Goal } from "./support/goal.ts";

const names = ["A", "B", "C", "D"] as const;
/**
 * Processes of each tier. Two wherever a call can be repeated: with one instance a 503 is not asked
 * for again, and a chain would look better than it is.
 */
const instances = [1, 2, 2, 2];
/** 100 for each process of B, C and D, as one of a fleet may have: the reserve is 3 % of that. */
const perSecond = 200;
const localPerSecond = 20;
/** Calls that are made before, one after the other, so that no process is cold. */
const warmUpCalls = 150;
const faultAtMs = 2_000;
/**
 * Twice the time for which a call pays for a retry, less the part by which that is cut: calls of
 * before the fault pay within it too, and a longer fault takes the same share.
 */
const faultMs = 19_000;
const healsAtMs = faultAtMs + faultMs;
/** The time that goodput is judged over. */
const judgedMs = 4_000;

interface Variant {
  readonly name: string;
  readonly says: string;
  /** Of the user's. */
  readonly perSecond: number;
  readonly policy: "naive" | CallPolicyOptions;
  readonly chainSignal: boolean;
  /** Of the requests at the leaf for one of the user's. */
  readonly leafGoal?: Goal;
  /** Goodput is judged from so long after the fault. */
  readonly backMs: number;
}

const { ratio, reservePerSecond, ttlMs } = retryBudgetDefaults;
const budgetText = `ratio ${ratio}, reserve ${reservePerSecond}/s, ${ttlMs / 1_000} s to live`;
const kept: Goal = { atMost: 1.25 };
/** Of the same tiers with the signal cut: the canary, since there the goal above is missed. */
const broken: Goal = { atLeast: 1.26 };
/** Times, tries and budget are the client's defaults wherever a row does not say otherwise. */
const variants: readonly Variant[] = [
  {
    name: "naive",
    says: `three tries of ${callPolicyDefaults.tryTimeoutMs} ms in each tier, no budget`,
    // With 27 attempts for each this is all that the machine bears.
    perSecond: perSecond / 4,
    policy: "naive",
    chainSignal: true,
    backMs: 4_000,
  },
  {
    name: "budgets alone",
    says: `default budget (${budgetText}) in each tier, no circuit, the chain's signal cut`,
    perSecond,
    policy: { breaker: false },
    chainSignal: false,
    leafGoal: broken,
    backMs: 4_000,
  },
  {
    name: "budget, no circuit",
    says: `default budget (${budgetText}), no circuit`,
    perSecond,
    policy: { breaker: false },
    chainSignal: true,
    leafGoal: kept,
    backMs: 4_000,
  },
  {
    name: "all defaults",
    says: "a service client as it comes",
    perSecond,
    policy: {},
    chainSignal: true,
    leafGoal: kept,
    backMs: 30_000,
  },
];

/**
 * Four tiers in seven processes, A calls B calls C calls D. The leaf answers 503 at once, or works
 * for three seconds where an attempt may take two; then it is well again.
 */
export const experiment = defineExperiment({
  id: "R17",
  title: "a chain of four services whose last one is dead or slow",
  claim:
    "With the default budget, circuit on or off, the leaf gets at most 1.25 attempts for a call " +
    "of the user, for the whole chain, where three tries in each tier make up to 27 and budgets " +
    "that know nothing of each other more than that; what a tier does without the leaf goes on; " +
    "when the fault ends so does its effect.",
  expectedMinutes: 6,
  async run(lab) {
    const counts = names.map((name, i) => `${name} ${instances[i]}`).join(", ");
    lab.say(`  processes: ${counts}; D is dead or slow for ${faultMs / 1_000} s`);
    const drawn: { readonly name: string; readonly seen: readonly Seen[] }[] = [];
    for (const fault of ["dead", "slow"] as const) {
      for (const variant of variants) {
        const { name, says } = variant;
        lab.say(`leaf ${fault}, ${name}: ${variant.perSecond} calls/s, ${says}`);
        const seen = await runChain(lab, fault, variant);
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

async function runChain(lab: Lab, fault: Fault, variant: Variant): Promise<readonly Seen[]> {
  const { policy, chainSignal, backMs, perSecond } = variant;
  const tiers = await startChain(instances, { policy, chainSignal, leafMs: 5, slowMs: 3_000 });
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
    await systemClock.sleep(Math.max(0, faultAtMs - since()), { signal: lab.signal });
    await count();
    leaf.setFault(fault);
    await systemClock.sleep(Math.max(0, healsAtMs - since()), { signal: lab.signal });
    leaf.setFault("none");
    await count();
  };
  const steady = { since, endsAtMs: healsAtMs + backMs + judgedMs, signal: lab.signal };
  const [seen, local] = await Promise.all([
    ask(user, "/work", { ...steady, perSecond }),
    ask(user, "/local", { ...steady, perSecond: localPerSecond }),
    script(),
  ]);
  await count();
  await user.close();
  await endAll(tiers);
  judge(lab, { fault, variant, seen, local, counts });
  return seen;
}

/** The user does not try again: each call is one. */
function clientOf(tier: Tier): ServiceClient {
  return createServiceClient("a", {
    resolver: staticResolver(tier.ports.map((port) => `127.0.0.1:${port}`).join(",")),
    policy: { retry: false, breaker: false, bulkhead: false, tryTimeoutMs: 5_000 },
    connectionsMax: 10_000,
  });
}

async function endAll(tiers: readonly Tier[]): Promise<void> {
  await Promise.all(tiers.map((tier) => tier.end()));
}

interface Steady {
  readonly since: () => number;
  readonly perSecond: number;
  readonly endsAtMs: number;
  readonly signal: AbortSignal;
}

/** Calls at a steady rate, whatever became of those before. */
async function ask(client: ServiceClient, path: string, steady: Steady): Promise<readonly Seen[]> {
  const { since, endsAtMs, signal } = steady;
  const seen: Promise<Seen>[] = [];
  for (let due = 0; due < endsAtMs; due += 1_000 / steady.perSecond) {
    const earlyMs = due - since();
    if (earlyMs > 0) await systemClock.sleep(earlyMs, { signal });
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
  readonly variant: Variant;
  readonly seen: readonly Seen[];
  readonly local: readonly Seen[];
  /** Requests at each tier, before and after the fault and at the end. */
  readonly counts: readonly (readonly number[])[];
}

function judge(lab: Lab, { fault, variant, seen, local, counts }: Outcome): void {
  const isOurs = variant.leafGoal === kept;
  const [before = [], healed = [], end = []] = counts;
  const [offered = 0, calledAfter = 0] = [
    (healed[0] as number) - (before[0] as number),
    (end[0] as number) - (healed[0] as number),
  ];
  const figure = (what: string, value: number, unit: string, goal?: Goal): void =>
    lab.figure({
      name: `leaf ${fault}, ${variant.name}: ${what}`,
      value,
      unit,
      ...(goal !== undefined && { goal }),
    });
  for (const [i, tier] of names.entries()) {
    // What the fault caused may come in after its end, unlike what a circuit kept away then.
    const after = Math.max(0, (end[i] ?? 0) - (healed[i] ?? 0) - calledAfter);
    const caused = (healed[i] ?? 0) - (before[i] ?? 0) + after;
    const goal = i === names.length - 1 ? variant.leafGoal : undefined;
    figure(`requests at ${tier} for one of the user's`, caused / offered, "", goal);
  }
  const good = (fromMs: number, toMs: number): number => {
    const within = seen.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
    return within.filter(({ status }) => status === 200).length / within.length;
  };
  figure("share that goes well, before", good(500, faultAtMs), "");
  const backAtMs = healsAtMs + variant.backMs;
  const allGood = isOurs ? { atLeast: 0.95 } : undefined;
  figure(
    `share that goes well, from ${variant.backMs / 1_000} s after`,
    good(backAtMs, backAtMs + judgedMs),
    "",
    allGood,
  );
  const answered = local.filter(({ status }) => status === 200).length / local.length;
  figure(
    "share of A's own answers, all the time",
    answered,
    "",
    isOurs ? { atLeast: 0.99 } : undefined,
  );
}

function draw(
  lab: Lab,
  drawn: readonly { readonly name: string; readonly seen: readonly Seen[] }[],
): void {
  const stepMs = 500;
  const lastOf = (seen: readonly Seen[]): number => Math.max(...seen.map(({ atMs }) => atMs));
  lab.plot({
    kind: "line",
    name: "goodput",
    title: "A chain of four, its leaf slow for 19 s: calls that go well",
    x: { label: "time of the call, s" },
    y: { label: "%" },
    series: drawn.map(({ name, seen }) => ({
      name,
      points: Array.from({ length: lastOf(seen) / stepMs }, (_, i): [number, number] => {
        const within = seen.filter(({ atMs }) => Math.floor(atMs / stepMs) === i);
        const good = within.filter(({ status }) => status === 200);
        return [((i + 0.5) * stepMs) / 1_000, (100 * good.length) / within.length];
      }),
    })),
    marks: [
      { x: faultAtMs / 1_000, label: "slow" },
      { x: healsAtMs / 1_000, label: "well" },
    ],
  });
}
