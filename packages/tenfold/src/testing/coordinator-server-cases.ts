import assert from "node:assert/strict";

import type { Coordinator } from "../coordination/coordinator.ts";
import { raiseGeneration } from "../coordination/generation.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import {
  answers,
  type CoordinatorCases,
  type CoordinatorGround,
  isValid,
  pause,
  put,
  rememberedWrites,
} from "./coordinator-steps.ts";

/** What happens to the servers themselves. */
export const serverCases: CoordinatorCases = {
  "an older backup put back is recognised, nothing is done until somebody vouches for it": {
    property: 17,
    needs: ["backup"],
    isAlone: true,
    async run({ prefix, connect, backup, eventually }) {
      const client = await connect();
      await put(client, `${prefix}a`, "old");
      await backup.take();
      await eventually("it answers again", () => answers(client.get(prefix)));
      const told: string[] = [];
      const stop = new AbortController();
      const watching = (async () => {
        for await (const { changes } of client.watch(`${prefix}a`, { signal: stop.signal })) {
          for (const one of changes) told.push(one.kind === "put" ? one.entry.value : "gone");
        }
      })();
      for (let i = 0; i < 5; i++) await put(client, `${prefix}a`, `new ${i}`);
      const session = await client.openSession({ ttlMs: 20_000 });
      const before = await client.createOrdered({ prefix: `${prefix}q/`, value: "", session });
      await eventually("the watch is told", () => told.includes("new 4"));
      await backup.restore();
      await eventually("the younger store is recognised", () =>
        client.get(`${prefix}a`).then(
          () => assert.fail("it answers from a store that has forgotten what it said"),
          (error: unknown) => isReplaced(error),
        ),
      );
      const change = [{ put: `${prefix}a`, value: "written into the wrong store" }];
      const refused = await client.transact({ change }).catch((error: unknown) => error);
      assert.ok(isReplaced(refused), String(refused));
      assert.equal((await (await connect()).get(`${prefix}a`))?.value, "old");
      assert.equal(told.at(-1), "new 4", "a watch does not go back in time by itself");
      await raiseGeneration(await connect(), Date.now());
      await eventually("it goes on", () =>
        client.get(`${prefix}a`).then(
          (entry) => entry?.value === "old",
          (error: unknown) => {
            assert.ok(isReplaced(error) || isUnavailable(error), String(error));
            return false;
          },
        ),
      );
      await eventually("the watch goes on", () => told.at(-1) === "old");
      assert.equal(isValid(session), false, "a session of the other life is over");
      const again = await client.openSession({ ttlMs: 20_000 });
      const after = await client.createOrdered({
        prefix: `${prefix}q/`,
        value: "",
        session: again,
      });
      assert.ok(after.token > before.token, `${after.token} is not after ${before.token}`);
      stop.abort();
      await watching;
    },
  },
  "the sessions of a killed process all expire, others and all watches go on": {
    property: 18,
    needs: ["clientProcess"],
    isAlone: true,
    async run(ground) {
      const { prefix, connect, startProcess, sessions, ttlMs, patienceMs } = ground;
      const { follow, agree, eventually } = ground;
      const [other, bystander] = [await connect(), await connect()];
      const followed = await follow(other, `${prefix}crowd/`);
      const session = await bystander.openSession({ ttlMs: 15_000 });
      await put(bystander, `${prefix}bystander`, "1", session);
      const crowd = await startProcess();
      const members = { prefix: `${prefix}crowd/`, count: sessions };
      // So long that a busy machine opens all of them before the first has to be renewed in vain.
      const crowdMs = Math.max(3 * ttlMs, patienceMs / 4);
      await crowd.ask({ do: "crowd", ttlMs: crowdMs, ...members });
      await agree(followed, other);
      assert.equal(followed.entries.size, sessions);
      crowd.signal("SIGKILL");
      let writes = 0;
      await eventually("all of them are gone", async () => {
        await put(other, `${prefix}write`, `${writes++}`);
        return followed.entries.size === 0;
      });
      assert.deepEqual((await other.list(`${prefix}crowd/`)).entries, []);
      assert.equal(session.state, "active");
      assert.equal((await other.get(`${prefix}bystander`))?.sessionId, session.id);
      await followed.stop();
    },
  },
  "a server that was stopped: the holder gives up in time, and nothing is lost": {
    property: 8,
    needs: ["freeze"],
    isAlone: true,
    async run({ prefix, connect, ttlMs, freeze, follow, agree, eventually }) {
      const [holder, reader] = [await connect(), await connect()];
      const writes = rememberedWrites(reader);
      const followed = await follow(reader, `${prefix}m/`);
      const session = await holder.openSession({ ttlMs });
      await put(holder, `${prefix}a`, "1", session);
      freeze.pause();
      try {
        await eventually("the holder gives up", () => session.state === "lost");
      } finally {
        freeze.resume();
      }
      await eventually("it answers again", () => answers(reader.get(prefix)));
      await writes.put(`${prefix}m/after`, "1");
      await agree(followed, reader);
      await eventually("the server ends it, too", async () => {
        return (await reader.get(`${prefix}a`)) === undefined;
      });
      assert.equal(isValid(session), false);
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
  "the leader is killed: sessions live on, watches miss nothing, no acknowledged write is lost": {
    property: 19,
    needs: ["quorum"],
    isAlone: true,
    async run(ground) {
      const { quorum, connect, prefix } = ground;
      const holder = await connect();
      const session = await holder.openSession({ ttlMs: 15_000 });
      await put(holder, `${prefix}mine`, "1", session);
      const made = (await holder.get(`${prefix}mine`))?.createRevision;
      await underWrites(ground, async () => {
        const leader = await someLeader(ground);
        await quorum.kill(leader);
        await someLeader(ground);
        await quorum.start(leader);
      });
      assert.equal(session.state, "active");
      assert.equal((await holder.get(`${prefix}mine`))?.createRevision, made);
    },
  },
  "each server is restarted in turn: watches miss nothing, no acknowledged write is lost": {
    property: 19,
    needs: ["quorum"],
    isAlone: true,
    async run(ground) {
      const { quorum } = ground;
      await underWrites(ground, async () => {
        for (let server = 0; server < quorum.count; server++) {
          await quorum.kill(server);
          await quorum.start(server);
          await someLeader(ground);
        }
      });
    },
  },
  "without a majority nothing is written, what is known can be read, and afterwards all is there": {
    property: 19,
    needs: ["quorum"],
    isAlone: true,
    async run({ prefix, connect, quorum, follow, agree, eventually }) {
      const [client, reader] = [await connect(), await connect()];
      await put(client, `${prefix}a`, "1");
      const followed = await follow(reader, prefix);
      const dead = [0, 1, 2, 3, 4].slice(0, (quorum.count >> 1) + 1);
      await Promise.all(dead.map((server) => quorum.kill(server)));
      const change = [{ put: `${prefix}a`, value: "2" }];
      const outcome = await client
        .transact({ change }, { timeoutMs: 1_500 })
        .then((result) => result.outcome)
        .catch((error: unknown) => isUnavailable(error));
      assert.ok(outcome === "indeterminate" || outcome === true, `the write was ${outcome}`);
      const reads = { reads: "stale", timeoutMs: 500 } as const;
      await eventually("a stale read is answered", () =>
        client.get(`${prefix}a`, reads).then(
          (entry) => entry?.value === "1",
          (error: unknown) => {
            assert.ok(isUnavailable(error), String(error));
            return false;
          },
        ),
      );
      assert.equal(followed.entries.get(`${prefix}a`)?.value, "1");
      await Promise.all(dead.map((server) => quorum.start(server)));
      await eventually("it answers again", () => answers(client.get(prefix)));
      await put(client, `${prefix}b`, "3");
      await agree(followed, client);
      assert.ok(["1", "2"].includes((await client.get(`${prefix}a`))?.value ?? ""));
      await followed.stop();
    },
  },
};

/** Writers that count up while something is done to the servers, and a watch beside them. */
async function underWrites(
  { prefix, connect, follow, agree, eventually }: CoordinatorGround,
  disturb: () => Promise<void>,
): Promise<void> {
  const [reader, ...writers] = [await connect(), await connect(), await connect()];
  const followed = await follow(reader, `${prefix}w/`);
  const acknowledged = new Map<string, number>();
  let isOver = false;
  const write = async (client: Coordinator, key: string): Promise<void> => {
    for (let value = 1; !isOver; value++) {
      // Beside the count a key that nothing writes again: what is lost stays lost.
      const change = [key, `${key}/${value}`].map((put) => ({ put, value: String(value) }));
      const result = await client.transact({ change }, { timeoutMs: 1_000 }).catch((error) => {
        assert.ok(isUnavailable(error), String(error));
      });
      if (result?.outcome === "applied") acknowledged.set(key, value);
      await pause(2);
    }
  };
  const keys = Array.from({ length: 6 }, (_, i) => `${prefix}w/${i}`);
  const writing = keys.map((key, i) => write(writers[i % writers.length] as Coordinator, key));
  try {
    await eventually("all have written", () => acknowledged.size === keys.length);
    await disturb();
    const marks = new Map(acknowledged);
    await eventually("all write again", () =>
      keys.every((key) => (acknowledged.get(key) ?? 0) > (marks.get(key) ?? 0)),
    );
  } finally {
    isOver = true;
    await Promise.all(writing);
  }
  await agree(followed, reader);
  for (const [key, value] of acknowledged) {
    const now = Number(followed.entries.get(key)?.value);
    assert.ok(now >= value, `${key} is ${now}, but ${value} was acknowledged`);
  }
  await followed.stop();
}

async function someLeader({ quorum, eventually }: CoordinatorGround): Promise<number> {
  let leader: number | undefined;
  await eventually("one leads", async () => {
    leader = await quorum.leader();
    return leader !== undefined;
  });
  return leader as number;
}

function isReplaced(error: unknown): boolean {
  return isTenfoldError(error, "TENFOLD_COORDINATION_STORE_REPLACED");
}

function isUnavailable(error: unknown): boolean {
  return isTenfoldError(error, "TENFOLD_COORDINATION_UNAVAILABLE");
}
