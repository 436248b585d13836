import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { Revision } from "tenfold/coordination";

import { connect } from "./engines.ts";
import type { Effects, LockHolderSettings } from "./lock-holder.fixture.ts";
import { followTrail, type Verdict } from "./trail.ts";

const program = fileURLToPath(new URL("./lock-holder.fixture.ts", import.meta.url));

/** Processes that hold one lock in turn, and act on one resource. */
export interface LockHolders {
  /** Effects that the guard took, as their holders heard. */
  readonly taken: number;
  /** Those that it refused to late holders. */
  readonly refused: number;
  /** Who has acted, one after the other. */
  readonly holders: number;
  /** Whoever holds now, as far as is known. */
  readonly current: ChildProcess | undefined;
  /** Ends the processes and reads what the resource took. */
  finish(): Promise<{ readonly guarded: Verdict; readonly bare: Verdict }>;
  /** Idempotent. */
  close(): Promise<void>;
}

export function startLockHolders(count: number, settings: LockHolderSettings): LockHolders {
  const watcher = connect(settings.addresses);
  const trail = followTrail(watcher, settings.resource);
  let [taken, refused] = [0, 0];
  let latest: Revision = 0n;
  let current: ChildProcess | undefined;
  const acted = new Set<string>();
  const hear = (child: ChildProcess, told: Effects): void => {
    taken += told.taken;
    refused += told.refused;
    acted.add(told.token);
    const place = trail.placeOf(told.token) ?? 0n;
    if (place < latest) return;
    latest = place;
    current = child;
  };
  const env = { ...process.env, LOCK_HOLDER: JSON.stringify(settings) };
  const children = Array.from({ length: count }, () => {
    const child = fork(program, [], { env });
    child.on("message", (told: Effects) => hear(child, told));
    return child;
  });
  let closed: Promise<void> | undefined;
  const endAll = async (): Promise<void> => void (await Promise.all(children.map(end)));
  return {
    get taken() {
      return taken;
    },
    get refused() {
      return refused;
    },
    get holders() {
      return acted.size;
    },
    get current() {
      return current;
    },
    async finish() {
      await endAll();
      return await trail.finish();
    },
    close() {
      closed ??= endAll().then(() => watcher.close());
      return closed;
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
