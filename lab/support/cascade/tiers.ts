import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CallPolicyOptions } from "tenfold/resilience";

/** Of the leaf. dead: it answers 503 at once, as a service whose database is away. */
export type Fault = "none" | "dead" | "slow";

export interface TierSettings {
  /** Port of the tier behind it; undefined for the leaf. */
  readonly next: number | undefined;
  readonly policy: "naive" | CallPolicyOptions;
  readonly tryTimeoutMs: number;
  /** How long the leaf takes. */
  readonly leafMs: number;
  /** … while it is slow. */
  readonly slowMs: number;
}

export interface Tier {
  readonly port: number;
  setFault(fault: Fault): void;
  /** Requests that reached it so far. */
  attempts(): Promise<number>;
  end(): Promise<void>;
}

const program = fileURLToPath(new URL("./tier.fixture.ts", import.meta.url));

/** A chain of processes, the first that is called first, the leaf last. */
export async function startChain(
  count: number,
  settings: Omit<TierSettings, "next">,
): Promise<readonly Tier[]> {
  const tiers: Tier[] = [];
  let next: number | undefined;
  for (let i = 0; i < count; i++) {
    const tier = await startTier({ ...settings, next });
    tiers.unshift(tier);
    next = tier.port;
  }
  return tiers;
}

async function startTier(settings: TierSettings): Promise<Tier> {
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
