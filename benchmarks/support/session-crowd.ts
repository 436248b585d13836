import { connectEtcd } from "tenfold/engines/etcd";
import { type ClientProcess, startClientProcess } from "tenfold/testing";

const processes = 4;
const ttlMs = 20_000;
const prefix = "/bench/crowd/";
const atATime = 100;
const openedWithinMs = 120_000;

export interface Expiry {
  /** From the kill until a watch has told that every key is gone; their time to live is in it. */
  readonly goneMs: number;
  /** The longest put of another client from the kill until then. */
  readonly worstPutMs: number;
  /** Sessions of others that ended meanwhile. */
  readonly othersLost: number;
}

export const crowdTtlMs: number = ttlMs;

/** A module for the processes that hold the sessions. */
export function connect(endpoints: string) {
  return connectEtcd({ endpoints });
}

/** Opens sessions, each with a key, in a few processes, and kills these at once. */
export async function expireTogether(endpoints: string, count: number): Promise<Expiry> {
  const bystander = connect(endpoints);
  const module = { url: import.meta.url, settings: () => endpoints };
  const stop = new AbortController();
  const present = new Set<string>();
  const watching = (async () => {
    for await (const { changes } of bystander.watch(prefix, { signal: stop.signal })) {
      for (const change of changes) {
        if (change.kind === "put") present.add(change.entry.key);
        else present.delete(change.key);
      }
    }
  })();
  const session = await bystander.openSession({ ttlMs });
  const holders = await Promise.all(
    Array.from({ length: processes }, () => startClientProcess(module, undefined)),
  );
  try {
    await Promise.all(holders.map((one, i) => openAll(one, `${prefix}${i}/`, count / processes)));
    await until("all sessions to be open", () => present.size === count);
    const killed = performance.now();
    for (const one of holders) one.signal("SIGKILL");
    let worstPutMs = 0;
    await until("all sessions to be gone", async () => {
      const sent = performance.now();
      await bystander.transact({ change: [{ put: "/bench/beside", value: String(sent) }] });
      worstPutMs = Math.max(worstPutMs, performance.now() - sent);
      return present.size === 0;
    });
    const goneMs = performance.now() - killed;
    return { goneMs, worstPutMs, othersLost: session.state === "active" ? 0 : 1 };
  } finally {
    await Promise.all(holders.map((one) => one.close()));
    stop.abort();
    await watching;
    await bystander.close();
  }
}

/** Some hundred at a time: the holders are to die together, not to come together. */
async function openAll(holder: ClientProcess, own: string, count: number): Promise<void> {
  for (let done = 0; done < count; done += atATime) {
    const size = Math.min(atATime, count - done);
    await holder.ask({ do: "crowd", ttlMs, prefix: `${own}${done}/`, count: size });
  }
}

async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + openedWithinMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
