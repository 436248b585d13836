import type { Coordinator } from "tenfold/coordination";
import { type SocketAddress, seededRandom } from "tenfold/runtime";
import {
  type ClientProcess,
  createFaultProxies,
  type FaultProxies,
  startClientProcess,
  trueNow,
} from "tenfold/testing";

import { connect } from "./engines.ts";

const ttlMs = 2_000;
const patienceMs = 60_000;
const folder = "/lab/r11/held/";
const kinds = ["stopped", "blocked", "black hole", "mute", "deaf", "reset"] as const;
export type FaultKind = (typeof kinds)[number];

export interface Beliefs {
  readonly faults: number;
  /** Faults after which a holder was sure of its session when the server had ended it. */
  readonly tooLong: number;
  /** By kind: how long after the server's end one was last sure; below zero: before it. */
  readonly latestMs: ReadonlyMap<FaultKind, number>;
}

export interface BeliefOptions {
  readonly addresses: readonly SocketAddress[];
  readonly faults: number;
  /** Processes that hold at once, each behind a link of its own. */
  readonly holders: number;
  readonly signal: AbortSignal;
}

/** Does each session a fault; compares what is claimed of it with when the server ended it. */
export async function watchBeliefs(options: BeliefOptions): Promise<Beliefs> {
  const { addresses, faults, holders, signal } = options;
  const watcher = connect(addresses);
  const gone = watchGone(watcher);
  const latestMs = new Map<FaultKind, number>();
  let [done, tooLong] = [0, 0];
  const run = async (number: number): Promise<void> => {
    const random = seededRandom(`r11 ${number}`);
    await using link = await createFaultProxies(addresses);
    const url = new URL("./engines.ts", import.meta.url);
    const holder = await startClientProcess({ url, settings: () => link.addresses }, undefined);
    try {
      for (let round = 0; done < faults && !signal.aborted; round++) {
        done++;
        const kind = kinds[random.below(kinds.length)] as FaultKind;
        const lateMs = await oneFault(holder, link, kind, `${folder}${number}/${round}/`, gone);
        latestMs.set(kind, Math.max(latestMs.get(kind) ?? Number.NEGATIVE_INFINITY, lateMs));
        if (lateMs > 0) tooLong++;
      }
    } finally {
      await holder.close();
    }
  };
  try {
    await Promise.all(Array.from({ length: holders }, (_, number) => run(number)));
  } finally {
    await gone.stop();
    await watcher.close();
  }
  return { faults: done, tooLong, latestMs };
}

/** @returns how long after the server's end it still believed; below zero: how long before. */
async function oneFault(
  holder: ClientProcess,
  link: FaultProxies,
  kind: FaultKind,
  prefix: string,
  gone: Gone,
): Promise<number> {
  link.state = "pass";
  const { key, from } = await holdSurely(holder, prefix);
  if (kind === "stopped") holder.signal("SIGSTOP");
  else if (kind === "blocked") await holder.ask({ do: "block", ms: ttlMs + 1_500 });
  else link.state = kind === "black hole" ? "silent" : kind === "reset" ? "cut" : kind;
  const endedAt = await gone.after(key);
  holder.signal("SIGCONT");
  const deadline = performance.now() + patienceMs;
  while (holder.claims.at(-1)?.isValid !== false) {
    if (performance.now() > deadline) throw new Error(`${key}: it believes without end`);
    await pause(5);
  }
  const believed = holder.claims.slice(from).filter(({ isValid }) => isValid);
  return Math.max(...believed.map(({ at }) => at)) - endedAt;
}

/** A machine that is busy with other things may lose a short session before its key stands. */
async function holdSurely(
  holder: ClientProcess,
  prefix: string,
): Promise<{ readonly key: string; readonly from: number }> {
  const deadline = performance.now() + patienceMs;
  for (let attempt = 1; ; attempt++) {
    const key = `${prefix}${attempt}`;
    const from = holder.claims.length;
    try {
      await holder.ask({ do: "hold", ttlMs, key });
      if (holder.claims.slice(from).some(({ isValid }) => isValid)) return { key, from };
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

interface Gone {
  /** When the server was seen to have ended the key. */
  after(key: string): Promise<number>;
  stop(): Promise<void>;
}

function watchGone(client: Coordinator): Gone {
  const endedAt = new Map<string, number>();
  const stop = new AbortController();
  const running = (async () => {
    for await (const { changes } of client.watch(folder, { signal: stop.signal })) {
      const at = trueNow();
      for (const change of changes) if (change.kind === "delete") endedAt.set(change.key, at);
    }
  })();
  return {
    async after(key) {
      const deadline = performance.now() + patienceMs;
      for (;;) {
        const at = endedAt.get(key);
        if (at !== undefined) return at;
        if (performance.now() > deadline) throw new Error(`${key} was not ended by the server`);
        await pause(2);
      }
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
