import { describe, expect, test } from "vitest";

import { createMemoryQueue } from "../engines/memory/queue.ts";
import { memoryQueueTable } from "../engines/memory/queue-table.ts";
import type { Queue } from "../queueing/queue.ts";
import { QueueCore } from "../queueing/queue-core.ts";
import { type QueueLimits, queueLimits } from "../queueing/queue-limits.ts";
import { queueOn } from "../queueing/queue-shell.ts";
import { messageStates, type QueueTable } from "../queueing/queue-table.ts";
import { systemClock } from "../runtime/clock.ts";
import { queueConformance } from "./queue-conformance.ts";

type Open = (limits?: Partial<QueueLimits>) => Queue;

const open: Open = (limits = {}) => createMemoryQueue({ limits });

/** A queue in memory that differs in one method. */
function queueThat(change: (sound: Queue) => Partial<Queue>): Open {
  return (limits) => {
    const sound = open(limits);
    return { ...boundMethods(sound), ...change(sound) };
  };
}

/** The queue over a table that differs in one look-up. */
function tableThat(change: (sound: QueueTable) => Partial<QueueTable>): Open {
  return (given = {}) => {
    const limits = { ...queueLimits, ...given };
    const sound = memoryQueueTable();
    const core = new QueueCore({ ...sound, ...change(sound) }, limits);
    const executor = {
      async run({ requests, ...time }: Parameters<Parameters<typeof queueOn>[0]["run"]>[0]) {
        const outcomes = requests.map((request) => core.apply(request, time));
        core.finish();
        return { outcomes, ...core.readiness() };
      },
      async close() {},
    };
    return queueOn(executor, systemClock, limits);
  };
}

function limitsThat(change: Partial<QueueLimits>): Open {
  return (limits) => open({ ...limits, ...change });
}

function boundMethods(queue: Queue): Queue {
  return {
    enqueue: (...given) => queue.enqueue(...given),
    claim: (...given) => queue.claim(...given),
    settle: (...given) => queue.settle(...given),
    pending: (...given) => queue.pending(...given),
    completed: (...given) => queue.completed(...given),
    stats: (...given) => queue.stats(...given),
    close: () => queue.close(),
  };
}

let unique = 0;
const forgetsIdempotency = tableThat(() => ({ byIdempotencyKey: () => undefined }));
const ignoresLanes = tableThat(() => ({ laneHead: () => undefined }));
const ignoresDelays = queueThat((sound) => ({
  settle: (settlements) =>
    sound.settle(settlements.map((settlement) => ({ ...settlement, result: "release" }))),
}));
const neverWaits = queueThat((sound) => ({
  claim: (request) => sound.claim({ ...request, waitMs: 0 }),
}));
const believesLateWorkers = queueThat((sound) => {
  const tokens = new Map<bigint, bigint>();
  return {
    async claim(...given) {
      const jobs = await sound.claim(...given);
      for (const { sequence, token } of jobs) tokens.set(sequence, token);
      return jobs;
    },
    settle: (settlements) =>
      sound.settle(
        settlements.map((settlement) => ({
          ...settlement,
          token: tokens.get(settlement.sequence) ?? settlement.token,
        })),
      ),
  };
});

/** For every case a queue that is broken in just the way that the case is there to notice. */
const canaries: Readonly<Record<string, Open>> = {
  "the same idempotency key stores one message and answers with it": forgetsIdempotency,
  "the same idempotency key with another fingerprint is a conflict": queueThat((sound) => ({
    enqueue: ({ fingerprint: _, ...message }) => sound.enqueue(message),
  })),
  "an idempotency key belongs to its key": tableThat((sound) => ({
    insert: (row) => sound.insert({ ...row, key: "a" }),
    byIdempotencyKey: (_key, name) => sound.byIdempotencyKey("a", name),
  })),
  "of 50 racers with one idempotency key one is accepted": queueThat((sound) => ({
    enqueue: (message) => sound.enqueue({ ...message, idempotencyKey: `${unique++}` }),
  })),
  "messages come out as they went in": queueThat((sound) => ({
    enqueue: (message) => sound.enqueue({ ...message, body: message.body.replaceAll("\\", "") }),
  })),
  "messages of one key come one at a time, in order": ignoresLanes,
  "messages of different keys come together, oldest first": queueThat((sound) => ({
    claim: (request, options) => sound.claim({ ...request, max: 1 }, options),
  })),
  "a message that is retried keeps its place and blocks its key until the delay ends":
    ignoresDelays,
  "a dead message does not block its key": tableThat((sound) => ({
    laneHead: (key) =>
      sound.laneHead(key) && sound.inState(messageStates.dead, 0, 1)[0]
        ? undefined
        : sound.laneHead(key),
  })),
  "a lease that ends hands out again, with a greater token, and refuses the late":
    believesLateWorkers,
  "done is taken after the lease ended as long as nobody else has the message": queueThat(
    (sound) => ({
      settle: async (settlements) => {
        const { leased } = await sound.stats();
        if (leased > 0) return await sound.settle(settlements);
        return { refused: settlements.map(({ sequence }) => sequence) };
      },
    }),
  ),
  "settling again is no second outcome": queueThat((sound) => {
    const settled = new Set<bigint>();
    return {
      async settle(settlements) {
        const again = settlements.filter(({ token }) => settled.has(token));
        for (const { token } of settlements) settled.add(token);
        if (again.length === 0) return await sound.settle(settlements);
        return { refused: again.map(({ sequence }) => sequence) };
      },
    };
  }),
  "unknown sequences and tokens are refused": believesLateWorkers,
  "a released message comes again at once and the attempt does not count": queueThat((sound) => ({
    settle: (settlements) =>
      sound.settle(
        settlements.map((given) => ({ ...given, result: "retry", delayMs: 0, reason: "" })),
      ),
  })),
  "pending shows what is accepted until it is done, dead messages too": queueThat((sound) => ({
    pending: async (request) =>
      (await sound.stats()).leased > 0 ? [] : await sound.pending(request),
  })),
  "pending pages are full, in order, and nothing comes twice": queueThat((sound) => ({
    pending: ({ before, ...request }) =>
      sound.pending({ ...request, ...(before === undefined ? {} : { before: `${before}~` }) }),
  })),
  "sorts are ordered by code point": queueThat((sound) => ({
    pending: async (request) =>
      [...(await sound.pending(request))].sort((a, b) => (a.sort < b.sort ? 1 : -1)),
  })),
  "a sort is unique among the messages of a key that are not done": tableThat(() => ({
    isPending: () => false,
  })),
  "completed lists what is done in that order, page by page, and misses nothing": queueThat(
    (sound) => ({
      completed: async (request) => [...(await sound.completed(request))].reverse(),
    }),
  ),
  "the counters add up after every step": queueThat((sound) => ({
    stats: async () => ({ ...(await sound.stats()), delayed: 0 }),
  })),
  "messages beyond the limits are refused and nothing is stored": limitsThat({
    bodyBytesMax: 100_000,
  }),
  "a waiting claim is answered when a message comes": neverWaits,
  "a waiting claim is answered when its key's turn comes": neverWaits,
  "a claim that waits in vain is answered with nothing": queueThat(() => ({
    claim: async () => [
      { sequence: 1n, key: "k", sort: "1", body: "", attempt: 1, token: 1n, leaseMs: 1 },
    ],
  })),
  "a claim that its caller aborts takes nothing": queueThat((sound) => ({
    claim: (request, { signal } = {}) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason));
        sound.claim(request).then(resolve, reject);
      }),
  })),
  "after close calls are refused, and close may be called again": queueThat(() => ({
    enqueue: async ({ body }) => ({ status: "accepted", sequence: 1n, body }),
  })),
  "a full queue pushes back, and still answers for what it has": limitsThat({ openCountMax: 9 }),
  "a queue that holds too many bytes pushes back": limitsThat({ openBytesMax: 1_000 }),
  "a message that ends no hand-out is dead, and its last chance is alone": limitsThat({
    lostMax: 1_000,
  }),
  "done messages are forgotten beyond the limit, oldest first, and stay counted": limitsThat({
    doneCountMax: 1_000,
  }),
  "what was acknowledged is there after a restart": open,
  "a lease outlives its owner: it settles later, and its end hands out again": open,
};

describe("the queue in memory", () => {
  for (const { name, run } of queueConformance({ open: async (limits) => open(limits) })) {
    test(name, run);
  }
});

describe("a queue that is broken is found out", () => {
  for (const { name } of queueConformance({
    open: async () => open(),
    reopen: async () => open(),
  })) {
    test(`canary: ${name}`, async () => {
      const broken = canaries[name];
      if (broken === undefined) throw new Error("this case has no canary");
      // What is not on a disk is gone: a queue that opens empty is the canary of the restarts.
      const cases = queueConformance({
        open: async (limits) => broken(limits),
        reopen: async () => neverWaits(),
      });
      await expect(cases.find((found) => found.name === name)?.run()).rejects.toThrow();
    });
  }
});
