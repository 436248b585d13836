import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { Coordinator, Revision } from "tenfold/coordination";

import type { Effects, LockHolderSettings } from "./lock-holder.fixture.ts";

const program = fileURLToPath(new URL("./lock-holder.fixture.ts", import.meta.url));

/** Processes that hold one lock in turn, and a resource that they act on. */
export interface LockHolders {
  /** Effects that reached the resource. */
  readonly effects: number;
  readonly holders: number;
  /** Effects of late holders that the guard took. */
  readonly staleTaken: number;
  /** Those that a resource without the guard takes. */
  readonly staleUnguarded: number;
  /** Of those that went to the coordinator's own guard: refused to a late holder. */
  readonly refusedByCoordinator: number;
  /** Whoever holds now, as far as the resource knows. */
  readonly current: ChildProcess | undefined;
  close(): Promise<void>;
}

/**
 * What is late is told by the server, not by the tokens that the guard compares: a holder whose
 * entry was made before that of one who has acted.
 *
 * @param watcher sees the line of the lock
 */
export function startLockHolders(
  count: number,
  settings: LockHolderSettings,
  watcher: Coordinator,
): LockHolders {
  let [effects, staleTaken, staleUnguarded, refusedByCoordinator] = [0, 0, 0, 0];
  let fence = "";
  let latest = 0n;
  let current: ChildProcess | undefined;
  const places = new Map<string, Revision>();
  const acted = new Set<string>();
  const waiting: { readonly child: ChildProcess; readonly told: Effects }[] = [];

  const act = (token: string, place: Revision): void => {
    effects++;
    const isStale = place < latest;
    if (isStale) staleUnguarded++;
    else latest = place;
    // The guard: the greatest token is kept beside the data, a smaller one refused.
    if (token < fence) return;
    fence = token;
    if (isStale) staleTaken++;
  };
  /** In the order of their coming, each once its holder's place in the line is known. */
  const takeWaiting = (): void => {
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      const { token, count: burst, stored } = first.told;
      const place = places.get(token);
      if (place === undefined) return;
      waiting.shift();
      for (let i = 0; i < burst; i++) act(token, place);
      if (place === latest) current = first.child;
      if (stored === "refused") refusedByCoordinator++;
      acted.add(token);
    }
  };
  const stop = new AbortController();
  const watching = (async () => {
    const line = `${settings.prefix}lock/`;
    for await (const { changes } of watcher.watch(line, { signal: stop.signal })) {
      for (const change of changes) {
        if (change.kind === "put") places.set(change.entry.token, change.entry.createRevision);
      }
      takeWaiting();
    }
  })();
  const children = Array.from({ length: count }, () => {
    const env = { ...process.env, LOCK_HOLDER: JSON.stringify(settings) };
    const child = fork(program, [], { env });
    child.on("message", (told: Effects) => {
      waiting.push({ child, told });
      takeWaiting();
    });
    return child;
  });
  return {
    get effects() {
      return effects;
    },
    get holders() {
      return acted.size;
    },
    get staleTaken() {
      return staleTaken;
    },
    get staleUnguarded() {
      return staleUnguarded;
    },
    get refusedByCoordinator() {
      return refusedByCoordinator;
    },
    get current() {
      return current;
    },
    async close() {
      await Promise.all(children.map(end));
      stop.abort();
      await watching;
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
