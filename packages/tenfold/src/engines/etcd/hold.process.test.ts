import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Coordinator } from "../../coordination/coordinator.ts";
import {
  type CoordinatorServer,
  findEngine,
  startEtcd,
  startNode,
} from "../../testing/server-process.fixture.ts";
import { connectEtcd } from "./client.ts";
import type { Act, HolderSettings, Told } from "./holder-process.fixture.ts";

const etcd = findEngine("etcd");
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";
const engines = [
  { name: "the embedded node", start: () => startNode({ NODE_TOKEN: "secret" }), token: "secret" },
  { name: "etcd", start: () => startEtcd(etcd as string), token: undefined },
];

for (const { name, start, token } of engines) {
  const isMissing = name === "etcd" && etcd === undefined;
  const title = isMissing ? "etcd (skipped: neither on PATH nor in .engines)" : name;
  describe.skipIf(isMissing && !isRequired)(`a holder that is frozen, over ${title}`, () => {
    let server: CoordinatorServer;
    let client: Coordinator;
    const holders: ChildProcess[] = [];

    beforeAll(async () => {
      server = await start();
      client = connectEtcd({ endpoints: endpoints(server), token });
    });
    afterAll(async () => {
      for (const child of holders) child.kill("SIGKILL");
      await client?.close();
      await server?.close();
    });

    const holder = (settings: Omit<HolderSettings, "endpoints" | "token">): Holder => {
      const started = startHolder({ ...settings, endpoints: endpoints(server), token });
      holders.push(started.child);
      return started;
    };
    /** The first holder freezes between its check and its write; the second one takes over. */
    const lateWrite = async (isFenced: boolean) => {
      const prefix = `/late/${isFenced}/`;
      const key = `/data/${isFenced}`;
      const first = holder({ prefix, name: "first", kind: "lock" });
      const older = await first.told("holds");
      const second = holder({ prefix, name: "second", kind: "lock" });
      first.ask({ key, isFenced, freezes: true });
      const newer = await second.told("holds");
      expect(newer > older).toBe(true);
      second.ask({ key, isFenced, freezes: false });
      expect(await second.told("acted")).toBe("done");
      first.child.kill("SIGCONT");
      const acted = await first.told("acted");
      expect(await first.told("lost")).toBe(older);
      return { acted, written: (await client.get(key))?.value.split(" ")[0] };
    };

    test("is refused by the fence, and not without one", async () => {
      const [fenced, unfenced] = await Promise.all([lateWrite(true), lateWrite(false)]);
      expect(fenced).toEqual({ acted: expect.stringMatching(fencedCodes), written: "second" });
      expect(unfenced).toEqual({ acted: "done", written: "first" });
    });

    test("no longer leads when it wakes, and stands in line again", async () => {
      const prefix = "/election/";
      const candidates = [1, 2].map((number) =>
        holder({ prefix, name: `c${number}`, kind: "election" }),
      );
      const [leader, other] = await inOrder(candidates);
      const firstTerm = await leader.told("holds");
      leader.child.kill("SIGSTOP");
      const secondTerm = await other.told("holds");
      leader.child.kill("SIGCONT");
      expect(await leader.told("lost")).toBe(firstTerm);
      const acting = { key: "/data/election", isFenced: true, freezes: false };
      other.ask(acting);
      expect(await other.told("acted")).toBe("done");
      await expect.poll(async () => (await client.list(prefix)).entries.length).toBe(2);
      other.child.kill("SIGKILL");
      const thirdTerm = await leader.told("holds");
      expect([firstTerm, secondTerm, thirdTerm]).toEqual(
        [firstTerm, secondTerm, thirdTerm].toSorted(),
      );
    });
  });
}

/** The session's end may be known to the process before it asks the server. */
const fencedCodes = /^TENFOLD_COORDINATION_(FENCED|SESSION_LOST)$/;

function endpoints({ address }: CoordinatorServer): string {
  return `etcd://${address.host}:${address.port}`;
}

interface Holder {
  readonly child: ChildProcess;
  ask(act: Act): void;
  /** The next thing of this kind that it tells. */
  told(kind: "holds" | "acted" | "lost"): Promise<string>;
}

function startHolder(settings: HolderSettings): Holder {
  const program = fileURLToPath(new URL("./holder-process.fixture.ts", import.meta.url));
  const child = fork(program, {
    env: { ...process.env, HOLDER: JSON.stringify(settings) },
    execArgv: ["--conditions=tenfold:source", "--no-warnings"],
  });
  const heard: Told[] = [];
  const changed = new EventTarget();
  child.on("message", (told: Told) => {
    heard.push(told);
    changed.dispatchEvent(new Event("told"));
  });
  return {
    child,
    ask: (act) => void child.send(act),
    async told(kind) {
      for (;;) {
        const index = heard.findIndex((told) => kind in told);
        const [found] = index < 0 ? [] : heard.splice(index, 1);
        if (found !== undefined) return (found as Record<typeof kind, string>)[kind];
        const exited = once(child, "exit").then(() => {
          throw new Error(`${settings.name} ended before it told ${kind}`);
        });
        await Promise.race([once(changed, "told"), exited]);
      }
    },
  };
}

/** Whoever leads first, then the other. */
async function inOrder(candidates: readonly Holder[]): Promise<[Holder, Holder]> {
  const [a, b] = candidates as [Holder, Holder];
  const first = await Promise.race([
    once(a.child, "message").then(() => a),
    once(b.child, "message").then(() => b),
  ]);
  return first === a ? [a, b] : [b, a];
}
