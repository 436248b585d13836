import type { Condition, Coordinator, Entry, WatchBatch } from "../coordination/coordinator.ts";
import { notice } from "../coordination/notice.ts";
import {
  type BrokenCoordinator,
  createOnce,
  isDelta,
  withBatches,
  withEntries,
  withSessions,
} from "./bent-coordinator.fixture.ts";

const toldRight = "a watch tells what was written: ordered, once, whole, all of it, as it was";
const churn = "a watch and a listing agree after any churn";
const oneBatch = "the changes of one revision come in one batch";
const away = "a reader that was away gets the last state of every key, and of deleted ones the end";
const condition = "a transaction applies only when all its conditions hold";
const racers = "of fifty that create the same key one succeeds";
const aba = "a key deleted and made again is another: what knew the old one may not change it";
const oneOrder = "what callers are told of a key fits one order of their calls";
const ownedBy = "a condition on a session holds for its own entries alone";
const takenAway = "a waiter whose entry was taken away cannot act as its owner";
const order = "entries of a queue stand in the order of their making, and so do their tokens";
const skipped = "a waiter that leaves is skipped";
const guarded = "holders follow each other at a guarded resource, their tokens never fall";
const lateToken = "the token of a holder that comes late is refused, also after it was closed";
const closed = "a closed client answers no more, and closing twice is harmless";
const vanish = "the entries of a session vanish when it is closed, others stay";
const atOnce = "closing the client ends its sessions at the server at once";

/** Seen without a fault from outside: on the memory coordinator. The lists are complete. */
export const brokenInside: Readonly<Record<string, BrokenCoordinator>> = {
  "ignores conditions": {
    fails: [condition, racers, aba, oneOrder, ownedBy, takenAway],
    bend: (client) => ({ ...client, transact: ({ change }) => client.transact({ change }) }),
  },
  "compares how often a key was written, not when": {
    fails: [aba, oneOrder],
    bend: comparingVersions,
  },
  "takes every entry for the caller's own": {
    fails: [ownedBy, takenAway],
    bend: (client) =>
      withConditions(client, (one) => ("ownedBy" in one ? { key: one.key, is: "present" } : one)),
  },
  "answers some reads from memory": { fails: [oneOrder], bend: remembering },
  "repeats its tokens": {
    fails: [order, guarded, lateToken],
    bend: (client) => withTokens(client, () => "00000000.0000000000000001"),
  },
  "gives tokens that fall": {
    fails: [order, guarded, lateToken],
    bend: (client) =>
      withTokens(client, (token) =>
        token.replace(/[0-9a-f]/g, (digit) => (15 - Number.parseInt(digit, 16)).toString(16)),
      ),
  },
  "ties no waiter to its session": {
    fails: [skipped, guarded, lateToken],
    bend: (client) => ({
      ...client,
      createOrdered: ({ prefix, value }) => createOnce(client, prefix, value),
    }),
  },
  "ends no session when it is closed": {
    fails: [vanish, atOnce, skipped, guarded, lateToken, ownedBy, closed],
    bend: (client) => ({
      ...withSessions(client, () => ({ close: { value: async () => {} } })),
      close: async () => {},
    }),
  },
  "loses the last changes": {
    fails: [toldRight, churn, oneBatch],
    bend: (client) => withBatches(client, (batch, { index }) => (index < 4 ? [batch] : [])),
  },
  "tells a batch again": {
    fails: [toldRight, churn, oneBatch],
    bend: (client) => withBatches(client, (batch) => (isDelta(batch) ? [batch, batch] : [batch])),
  },
  "goes back to an older state": {
    fails: [toldRight, churn, oneBatch],
    bend: (client) =>
      withBatches(client, (batch, { last }) => (last && isDelta(last) ? [batch, last] : [batch])),
  },
  "splits a revision": {
    fails: [toldRight, oneBatch],
    bend: (client) =>
      withBatches(client, (batch) => {
        const middle = batch.changes.length >> 1;
        if (!isDelta(batch) || middle === 0) return [batch];
        return [batch.changes.slice(0, middle), batch.changes.slice(middle)].map((changes) => ({
          ...batch,
          changes,
        }));
      }),
  },
  "says how far it is before it is there": {
    fails: [toldRight, oneBatch],
    bend: (client) =>
      withBatches(client, (batch) =>
        isDelta(batch) ? [{ ...batch, changes: [] }, batch] : [batch],
      ),
  },
  "calls every write a creation": {
    fails: [toldRight, oneBatch],
    bend: (client) =>
      withBatches(client, (batch) => [
        withEntries(batch, (entry) => ({ ...entry, createRevision: entry.revision })),
      ]),
  },
  "lets neighbours of the prefix through": {
    fails: [toldRight],
    bend: (client) => ({
      ...client,
      watch: (prefix, options) => client.watch(prefix.replace(/m\/$/, "m"), options),
    }),
  },
  "drops what a slow reader did not fetch": {
    fails: [away],
    bend: (client) => ({
      ...client,
      watch: (prefix, options) => droppingWatch(client, prefix, options?.signal),
    }),
  },
};

function withConditions(client: Coordinator, to: (one: Condition) => Condition): Coordinator {
  return {
    ...client,
    transact: ({ when = [], ...rest }, options) =>
      client.transact({ ...rest, when: when.map(to) }, options),
  };
}

function withTokens(client: Coordinator, to: (token: string) => string): Coordinator {
  return {
    ...client,
    async createOrdered(entry, options) {
      const created = await client.createOrdered(entry, options);
      return { ...created, token: to(created.token) as typeof created.token };
    },
  };
}

async function* droppingWatch(
  client: Coordinator,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<WatchBatch> {
  const kept: WatchBatch[] = [];
  const stop = new AbortController();
  const until = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const changed = notice();
  const running = (async () => {
    for await (const batch of client.watch(prefix, { signal: until })) {
      if (kept.length < 40) kept.push(batch);
      changed.notify();
    }
    stop.abort();
  })();
  while (!until.aborted) {
    const batch = kept.shift();
    if (batch === undefined) await changed.wait(until);
    else yield batch;
  }
  await running;
}

/** Knows of writes through itself alone. */
function comparingVersions(client: Coordinator): Coordinator {
  const now = new Map<string, number>();
  const versions = new Map<string, number>();
  const like = (one: Condition): Condition => {
    if (!("revision" in one)) return one;
    const { key, revision } = one;
    return versions.get(`${key} ${revision}`) === now.get(key) ? { key, is: "present" } : one;
  };
  return {
    ...client,
    async transact({ when = [], change, ...rest }, options) {
      const result = await client.transact({ ...rest, when: when.map(like), change }, options);
      if (result.outcome !== "applied") return result;
      for (const one of change) {
        if ("delete" in one) now.delete(one.delete);
        else {
          now.set(one.put, (now.get(one.put) ?? 0) + 1);
          versions.set(`${one.put} ${result.revision}`, now.get(one.put) as number);
        }
      }
      return result;
    },
  };
}

/** One read in five gives what the one before it gave. */
function remembering(client: Coordinator): Coordinator {
  const before = new Map<string, Entry | undefined>();
  let reads = 0;
  return {
    ...client,
    async get(key, options) {
      if (++reads % 5 === 0 && before.has(key)) return before.get(key);
      const entry = await client.get(key, options);
      before.set(key, entry);
      return entry;
    },
  };
}
