import assert from "node:assert/strict";

import type { Coordinator, CreatedEntry, Session } from "../coordination/coordinator.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import { type CoordinatorCases, type CoordinatorGround, put, remove } from "./coordinator-steps.ts";

/** One that stands in a queue. */
interface Waiter extends CreatedEntry {
  readonly client: Coordinator;
  readonly session: Session;
}

async function join(client: Coordinator, prefix: string): Promise<Waiter> {
  const session = await client.openSession({ ttlMs: 20_000 });
  const created = await client.createOrdered({ prefix, value: "", session });
  return { ...created, client, session };
}

/** The keys of a queue in the order of the server. */
async function queue(client: Coordinator, prefix: string): Promise<string[]> {
  const { entries } = await client.list(prefix);
  const order = [...entries].sort((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
  return order.map((entry) => entry.key);
}

const isFirst = async ({ client, key }: Waiter, prefix: string): Promise<boolean> =>
  (await queue(client, prefix))[0] === key;

/** Queues, tokens, and effects of holders that come too late. */
export const queueCases: CoordinatorCases = {
  "entries of a queue stand in the order of their making, and so do their tokens": {
    property: 7,
    async run({ prefix, connect }) {
      const clients = await Promise.all(Array.from({ length: 3 }, connect));
      const made: Waiter[] = [];
      for (let i = 0; i < 18; i++) made.push(await join(clients[i % 3] as Coordinator, prefix));
      const keys = made.map((one) => one.key);
      assert.deepEqual(await queue(clients[0] as Coordinator, prefix), keys);
      const more = await Promise.all(
        Array.from({ length: 24 }, (_, i) => join(clients[i % 3] as Coordinator, prefix)),
      );
      const all = [...made, ...more];
      const tokens = new Map(all.map((one) => [one.key, one.token]));
      assert.equal(tokens.size, all.length, "each has a name of its own");
      const { entries } = await (clients[1] as Coordinator).list(prefix);
      for (const entry of entries) assert.equal(entry.token, tokens.get(entry.key));
      const inOrder = (await queue(clients[2] as Coordinator, prefix)).map((key) => {
        return tokens.get(key) as string;
      });
      assert.deepEqual(inOrder, [...new Set(inOrder)].sort(), "tokens grow with the order");
    },
  },
  "a waiter that leaves is skipped": {
    property: 6,
    async run({ prefix, connect, eventually }) {
      const [first, second, third] = [
        await join(await connect(), prefix),
        await join(await connect(), prefix),
        await join(await connect(), prefix),
      ];
      await second.session.close();
      assert.equal(await isFirst(third, prefix), false);
      await first.client.close();
      await eventually("the third is first", () => isFirst(third, prefix));
      assert.deepEqual(await queue(third.client, prefix), [third.key]);
    },
  },
  "a waiter that is killed is skipped": {
    property: 6,
    needs: ["clientProcess"],
    async run({ prefix, connect, startProcess, ttlMs, eventually }) {
      const first = await join(await connect(), prefix);
      const killed = await startProcess();
      const { key } = await killed.ask({ do: "queue", ttlMs, prefix });
      const third = await join(await connect(), prefix);
      killed.signal("SIGKILL");
      await first.session.close();
      const others = await queue(third.client, prefix);
      assert.ok(others.includes(third.key) && others[0] === key, "its entry outlives it a while");
      await eventually("the third is first", () => isFirst(third, prefix));
    },
  },
  "an entry of a queue whose answer is lost is there once, or not at all": {
    property: 5,
    needs: ["addresses"],
    async run({ prefix, connect, connectThroughProxy, proxy, eventually }) {
      const [other, client] = [await connect(), await connectThroughProxy()];
      const session = await client.openSession({ ttlMs: 30_000 });
      for (let cut = 0; cut < 40; cut++) {
        const queuePrefix = `${prefix}${cut}/`;
        // After the answers to what came before: a cut in the middle of this call's own.
        await client.get(queuePrefix);
        if (cut % 2 === 0) proxy.cutAfterBytes(cut);
        else proxy.cutAfterBytes(cut * 5, "toTarget");
        const created = await client
          .createOrdered({ prefix: queuePrefix, value: "", session }, { timeoutMs: 4_000 })
          .catch((error: unknown) => {
            assert.ok(isTenfoldError(error, "TENFOLD_COORDINATION_UNAVAILABLE"), String(error));
          });
        proxy.cutAfterBytes(Number.POSITIVE_INFINITY);
        proxy.cutAfterBytes(Number.POSITIVE_INFINITY, "toTarget");
        const wanted = created === undefined ? [] : [created.key];
        await eventually("one is there, or none", async () => {
          const keys = await queue(other, queuePrefix);
          if (created !== undefined) assert.ok(keys.includes(created.key));
          return keys.length === wanted.length;
        });
      }
    },
  },
  "a waiter whose entry was taken away cannot act as its owner": {
    property: 1,
    async run({ prefix, connect }) {
      const [waiter, other] = [await join(await connect(), prefix), await connect()];
      await remove(other, waiter.key);
      await put(other, waiter.key, "of another");
      const { client, key, session } = waiter;
      const change = [{ put: `${prefix}effect`, value: "1" }];
      const result = await client.transact({ when: [{ key, ownedBy: session }], change });
      assert.equal(result.outcome, "refused");
    },
  },
  "holders follow each other at a guarded resource, their tokens never fall": {
    property: 1,
    async run(ground) {
      const { prefix, connect, eventually } = ground;
      const clients = await Promise.all(Array.from({ length: 4 }, connect));
      const resource = guardedResource();
      const holdOnce = async (client: Coordinator): Promise<void> => {
        const holder = await join(client, `${prefix}queue/`);
        const { key, session, token } = holder;
        await eventually("its turn comes", () => isFirst(holder, `${prefix}queue/`));
        const change = [{ put: `${prefix}resource`, value: token }];
        for (let effect = 0; effect < 2; effect++) {
          session.assertValid();
          assert.ok(resource.accepts(token), "a holder's effect is taken");
          const { outcome } = await client.transact({ when: [{ key, ownedBy: session }], change });
          assert.equal(outcome, "applied");
        }
        await session.close();
      };
      const rounds = clients.map(async (client) => {
        for (let round = 0; round < 3; round++) await holdOnce(client);
      });
      await Promise.all(rounds);
      assert.equal(new Set(resource.taken).size, clients.length * 3, "each holder has its token");
      assert.deepEqual(resource.taken, [...resource.taken].sort());
    },
  },
  "the token of a holder that comes late is refused, also after it was closed": {
    property: 1,
    async run({ prefix, connect, eventually }) {
      const early = await join(await connect(), prefix);
      const next = await join(await connect(), prefix);
      assert.ok(await isFirst(early, prefix));
      early.session.assertValid();
      await early.session.close();
      await eventually("its successor holds", () => isFirst(next, prefix));
      const [guarded, plain] = [guardedResource(), plainResource()];
      for (const { token } of [next, early]) {
        guarded.accepts(token);
        plain.accepts(token);
      }
      assert.deepEqual(guarded.taken, [next.token]);
      assert.equal(plain.stale, 1, "without the token it would have got through");
    },
  },
  "a holder stopped before its effect is refused by its token": {
    property: 1,
    needs: ["clientProcess"],
    async run(ground) {
      const { taken } = await lateEffect(ground, guardedResource());
      assert.equal(taken.length, 1, "the late effect was refused");
    },
  },
  "without tokens a holder stopped before its effect does harm": {
    property: 2,
    needs: ["clientProcess"],
    async run(ground) {
      const { stale } = await lateEffect(ground, plainResource());
      assert.equal(stale, 1, "the experiment can see what tokens prevent");
    },
  },
};

interface Resource {
  accepts(token: string): boolean;
  /** Tokens of the effects that were taken. */
  readonly taken: string[];
  /** Effects taken after one with a greater token. */
  readonly stale: number;
}

/** Takes what has the greatest token so far, as storage behind a fence does. */
function guardedResource(): Resource {
  const taken: string[] = [];
  let greatest = "";
  return {
    taken,
    stale: 0,
    accepts(token) {
      if (token < greatest) return false;
      greatest = token;
      taken.push(token);
      return true;
    },
  };
}

/** Takes everything. */
function plainResource(): Resource {
  const taken: string[] = [];
  let stale = 0;
  return {
    taken,
    get stale() {
      return stale;
    },
    accepts(token) {
      if (taken.some((before) => before > token)) stale++;
      taken.push(token);
      return true;
    },
  };
}

/** Its check passed, then it was stopped until another held; its effect comes after the other's. */
async function lateEffect(ground: CoordinatorGround, resource: Resource): Promise<Resource> {
  const { prefix, connect, startProcess, ttlMs, eventually } = ground;
  const late = await startProcess();
  const { token = "" } = await late.ask({ do: "queue", ttlMs, prefix });
  const next = await join(await connect(), prefix);
  const effect = late.ask({ do: "stopBeforeEffect" });
  // Ended with the case when that fails before.
  effect.catch(() => {});
  await eventually("its successor holds", () => isFirst(next, prefix));
  resource.accepts(next.token);
  late.signal("SIGCONT");
  await effect;
  resource.accepts(token);
  return resource;
}
