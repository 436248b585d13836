import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CallPolicyOptions } from "tenfold/resilience";

/** Of the leaf. dead: it answers 503 at once, as a service whose database is away. */
export type Fault = "none" | "dead" | "slow";

export interface TierSettings {
  /** Ports of the tier behind it; none for the leaf. */
  readonly next: readonly number[];
  /** naive: three tries by hand, whoever asks; otherwise that of a service client. */
  readonly policy: "naive" | CallPolicyOptions;
  /** false: a tier does not hear, from above or below, that somebody else repeats. */
  readonly chainSignal: boolean;
  /** How long the leaf takes. */
  readonly leafMs: number;
  /** … while it is slow. */
  readonly slowMs: number;
}

/** All instances of one service of the chain, each a process. */
export interface Tier {
  readonly ports: readonly number[];
  setFault(fault: Fault): void;
  /** Requests that reached it so far. */
  attempts(): Promise<number>;
  end(): Promise<void>;
}

type Instance = Omit<Tier, "ports"> & { readonly port: number };

const program = fileURLToPath(new URL("./tier.fixture.ts", import.meta.url));

/** A chain of tiers with so many instances each; the first is the one that the user calls. */
export async function startChain(
  instances: readonly number[],
  settings: Omit<TierSettings, "next">,
): Promise<readonly Tier[]> {
  const tiers: Tier[] = [];
  for (const count of instances.toReversed()) {
    const next = tiers[0]?.ports ?? [];
    tiers.unshift(await startTier(count, { ...settings, next }));
  }
  return tiers;
}

async function startTier(count: number, settings: TierSettings): Promise<Tier> {
  const started = Array.from({ length: count }, () => startInstance(settings));
  const instances = await Promise.all(started);
  return {
    ports: instances.map(({ port }) => port),
    setFault(fault) {
      for (const each of instances) each.setFault(fault);
    },
    async attempts() {
      const counts = await Promise.all(instances.map((each) => each.attempts()));
      return counts.reduce((sum, each) => sum + each);
    },
    async end() {
      await Promise.all(instances.map((each) => each.end()));
    },
  };
}

async function startInstance(settings: TierSettings): Promise<Instance> {
  const env = { ...process.env, TIER: JSON.stringify(settings) };
  const child = fork(program, { env });
  const { port } = (await heard(child)) as { port: number };
  return {
    port,
    setFault: (fault) => void child.send(fault),
    async attempts() {
      child.send("attempts");
      return ((await heard(child)) as { attempts: number }).attempts;
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function heard(child: ChildProcess): Promise<unknown> {
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`a tier ended with ${code}`);
    }),
  ]);
  return message;
}
