import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import type {
  Behaviour,
  WorkCounts,
  WorkOrder,
  WorkServerSettings,
} from "./work-server.fixture.ts";

/**
 * A process with a server for each caller, so that what one balancing policy does to a host does
 * not show in the figures of another, while all meet the same faults at the same moments.
 */
export interface WorkHost {
  readonly id: string;
  /** One a caller. */
  readonly ports: readonly number[];
  behave(behaviour: Behaviour): void;
  /** SIGSTOP, and SIGCONT after so long. */
  freeze(ms: number): Promise<void>;
  /** How many requests each caller's server had, from one wall-clock moment to another. */
  counts(): Promise<(caller: number, fromMs: number, toMs: number) => number>;
  close(): Promise<void>;
}

const program = fileURLToPath(new URL("./work-server.fixture.ts", import.meta.url));

export async function startWorkHost(id: string, settings: WorkServerSettings): Promise<WorkHost> {
  const env = { ...process.env, WORK_SERVER: JSON.stringify(settings) };
  const child = fork(program, { env });
  const ports = (await messageOf(child)) as readonly number[];
  const tell = (order: WorkOrder): void => void child.send(order);
  return {
    id,
    ports,
    behave: (behaviour) => tell({ behave: behaviour }),
    async freeze(ms) {
      child.kill("SIGSTOP");
      await pause(ms);
      child.kill("SIGCONT");
    },
    async counts() {
      const answer = messageOf(child);
      tell({ report: true });
      const counts = (await answer) as WorkCounts;
      return (caller, fromMs, toMs) =>
        (counts[caller] ?? []).reduce((sum, [tenth, requests]) => {
          return tenth * 100 >= fromMs && tenth * 100 < toMs ? sum + requests : sum;
        }, 0);
    },
    async close() {
      const exited = once(child, "exit");
      if (child.exitCode !== null || !child.kill("SIGKILL")) return;
      await exited;
    },
  };
}

async function messageOf(child: ChildProcess): Promise<unknown> {
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`a host ended with ${code}`);
    }),
  ]);
  return message;
}
