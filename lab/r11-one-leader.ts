import type { Coordinator } from "tenfold/coordination";
import { type SocketAddress, seededRandom } from "tenfold/runtime";
import {
  type ClientProcess,
  createFaultProxies,
  type FaultProxies,
  startClientProcess,
  trueNow,
} from "tenfold/testing";

import { connect, labEngines } from "./support/coordination/engines.ts";
import { startLockHolders } from "./support/coordination/lock-holders.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";

const faults = { small: 48, full: 1_000 };
const effectsWanted = { small: 50_000, full: 1_000_000 };
const holders = 8;
const ttlMs = 2_000;
const patienceMs = 30_000;
const prefix = "/lab/r11/";
const kinds = ["stopped", "blocked", "black hole", "mute", "deaf", "reset"] as const;
type Kind = (typeof kinds)[number];

/**
 * Holders of sessions in processes of their own, each behind its own link: stopped, blocked, cut
 * off. What they claim is compared with when the server ended their session. Then holders of one
 * lock that are stopped between their look at the session and the effect.
 */
export const experiment = defineExperiment({
  id: "R11",
  title: "holders that are stopped, blocked and cut off",
  claim:
    "No holder believes in a session that the server has ended, and a guard with tokens takes no " +
    "effect of a late holder; without it some get through.",
  expectedMinutes: 2,
  async run(lab) {
    const [embedded] = labEngines;
    if (embedded === undefined) throw new Error("there is no engine");
    const addresses = await embedded.start(lab);
    await believe(lab, addresses);
    await act(lab, addresses);
  },
});

async function believe(lab: Lab, addresses: readonly SocketAddress[]): Promise<void> {
  const watcher = connect(addresses);
  lab.atEnd(() => watcher.close());
  const gone = watchGone(watcher);
  lab.atEnd(() => gone.stop());
  const wanted = lab.full ? faults.full : faults.small;
  const late = new Map<Kind, number>(kinds.map((kind) => [kind, Number.NEGATIVE_INFINITY]));
  let [done, believers] = [0, 0];
  const run = async (number: number): Promise<void> => {
    const random = seededRandom(`r11 ${number}`);
    await using link = await createFaultProxies(addresses);
    const url = new URL("./support/coordination/engines.ts", import.meta.url);
    const settings = () => link.addresses;
    const holder = await startClientProcess({ url, settings }, undefined);
    try {
      for (let round = 0; done < wanted && !lab.signal.aborted; round++) {
        done++;
        const key = `${prefix}held/${number}/${round}`;
        const kind = kinds[random.below(kinds.length)] as Kind;
        const lateMs = await oneFault(holder, link, kind, key, gone);
        late.set(kind, Math.max(late.get(kind) as number, lateMs));
        if (lateMs > 0) believers++;
      }
    } finally {
      await holder.close();
    }
  };
  await Promise.all(Array.from({ length: holders }, (_, i) => run(i)));
  const { figure } = lab;
  figure({ name: "faults", value: done, unit: "", goal: { atLeast: wanted } });
  const none = { equals: 0 };
  figure({ name: "holders that believed too long", value: believers, unit: "", goal: none });
  for (const [kind, ms] of late) {
    // Below zero: it knew that long before the server acted.
    if (Number.isFinite(ms))
      figure({ name: `latest belief after the end, ${kind}`, value: ms, unit: "ms" });
  }
  lab.plot({
    kind: "bar",
    name: "belief",
    title: "How long before the server's end a holder last believed in its session, at worst",
    y: { label: "ms" },
    bars: [...late].flatMap(([name, ms]) => (Number.isFinite(ms) ? [{ name, value: -ms }] : [])),
  });
}

/** @returns how long after the server's end it still believed; below zero: how long before. */
async function oneFault(
  holder: ClientProcess,
  link: FaultProxies,
  kind: Kind,
  key: string,
  gone: Gone,
): Promise<number> {
  link.state = "pass";
  const from = holder.claims.length;
  await holder.ask({ do: "hold", ttlMs, key });
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
  const last = Math.max(...believed.map(({ at }) => at));
  return last - endedAt;
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
    for await (const { changes } of client.watch(`${prefix}held/`, { signal: stop.signal })) {
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

async function act(lab: Lab, addresses: readonly SocketAddress[]): Promise<void> {
  const wanted = lab.full ? effectsWanted.full : effectsWanted.small;
  const settings = { addresses, prefix, ttlMs: 1_000, burst: 20, holdMs: 400 };
  const watcher = connect(addresses);
  lab.atEnd(() => watcher.close());
  const run = startLockHolders(4, settings, watcher);
  lab.atEnd(() => run.close());
  let pauses = 0;
  while ((run.effects < wanted || run.staleUnguarded === 0) && !lab.signal.aborted) {
    await pause(300);
    const victim = run.current;
    if (victim === undefined) continue;
    victim.kill("SIGSTOP");
    pauses++;
    // Until another one has acted, or the victim was not the holder any more.
    const before = run.holders;
    const deadline = performance.now() + 4_000;
    while (run.holders === before && performance.now() < deadline) await pause(5);
    victim.kill("SIGCONT");
  }
  await run.close();
  const { figure } = lab;
  figure({ name: "effects under a lock", value: run.effects, unit: "", goal: { atLeast: wanted } });
  figure({ name: "holders, one after the other", value: run.holders, unit: "" });
  figure({ name: "pauses of a holder", value: pauses, unit: "" });
  const none = { equals: 0 };
  figure({ name: "stale effects taken by the guard", value: run.staleTaken, unit: "", goal: none });
  figure({
    name: "stale effects taken without it",
    value: run.staleUnguarded,
    unit: "",
    goal: { atLeast: 1 },
  });
  figure({
    name: "late effects refused by the coordinator's guard",
    value: run.refusedByCoordinator,
    unit: "",
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
