import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { MemberReady, MemberSettings } from "./member-process.fixture.ts";

export interface MemberProcess {
  readonly id: string;
  readonly port: number;
  /** Wall clock, when it asked to be listed. */
  readonly askedAtMs: number;
  /** Sends the signal and waits for the end. Idempotent. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

const program = fileURLToPath(new URL("./member-process.fixture.ts", import.meta.url));

/** Starts a member and waits until it is registered, or a gateway until it listens. */
export async function startMemberProcess(settings: MemberSettings): Promise<MemberProcess> {
  const env = { ...process.env, MEMBER: JSON.stringify(settings) };
  const child = fork(program, { env });
  const [ready] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`${settings.id} ended with ${code} before it was ready`);
    }),
  ]);
  const { port, askedAtMs } = ready as MemberReady;
  return { id: settings.id, port, askedAtMs, end: (signal) => end(child, signal) };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}
