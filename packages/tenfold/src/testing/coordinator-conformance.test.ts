import { describe, expect, test, vi } from "vitest";

import type { Coordinator, WatchBatch } from "../coordination/coordinator.ts";
import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { coordinatorConformance } from "./coordinator-conformance.ts";
import { patienceMs } from "./coordinator-steps.ts";

/** All clients of one store, each bent by `bend`. */
function memory(bend: (client: Coordinator) => Coordinator = (client) => client) {
  const store = memoryStore();
  const connect = async () => bend(createMemoryCoordinator({ store }));
  return coordinatorConformance({ connect });
}

describe("the memory coordinator", () => {
  for (const { name, run, needs } of memory()) {
    test.skipIf(needs !== undefined)(needs === undefined ? name : `${name} (${needs})`, run);
  }
});

/** The suite must fail an engine that breaks its word. */
const broken: Record<string, { case: string; bend: (client: Coordinator) => Coordinator }> = {
  "ignores conditions": {
    case: "of fifty that create the same key one succeeds",
    bend: (client) => ({ ...client, transact: ({ change }) => client.transact({ change }) }),
  },
  "leaves entries of closed sessions": {
    case: "the entries of a session vanish when it is closed, others stay",
    bend: (client) => ({
      ...client,
      transact: (transaction) => {
        const change = transaction.change.map((one) =>
          "put" in one ? { put: one.put, value: one.value } : one,
        );
        return client.transact({ ...transaction, change });
      },
    }),
  },
  "takes any session for the owner": {
    case: "a condition on the owner holds for the owner's session alone",
    bend: (client) => ({
      ...client,
      transact: ({ when = [], ...rest }) =>
        client.transact({ ...rest, when: when.filter((one) => !("ownedBy" in one)) }),
    }),
  },
  "repeats a token": {
    case: "ordered entries stand in the order of their making, with growing tokens, and end",
    bend: (client) => ({
      ...client,
      createOrdered: async (entry) => {
        const made = await client.createOrdered(entry);
        return { ...made, token: made.token.slice(0, -1) };
      },
    }),
  },
  "forgets the session of an ordered entry": {
    case: "ordered entries stand in the order of their making, with growing tokens, and end",
    bend: (client) => ({
      ...client,
      createOrdered: async ({ prefix, value }) => {
        const key = `${prefix}${value}`;
        const result = await client.transact({ change: [{ put: key, value }] });
        return { key, token: result.outcome === "applied" ? result.token : "" };
      },
    }),
  },
  "stores any key": {
    case: "keys and values that no server could give back unchanged are refused",
    bend: (client) => ({
      ...client,
      transact: ({ change, ...rest }) =>
        client.transact({
          ...rest,
          change: change.map((one) =>
            "put" in one ? { ...one, put: one.put.replace("\0", "") } : one,
          ),
        }),
    }),
  },
  "loses a batch": {
    case: "a watch and a listing agree after any churn",
    bend: (client) => ({ ...client, watch: (prefix, options) => losing(client, prefix, options) }),
  },
  "splits a revision": {
    case: "the changes of one revision come in one batch",
    bend: (client) => ({ ...client, watch: (prefix, options) => split(client, prefix, options) }),
  },
  "repeats the past": {
    case: "a watch and a listing agree after any churn",
    bend: (client) => ({ ...client, watch: (prefix, options) => again(client, prefix, options) }),
  },
};

type WatchOptions = { readonly signal?: AbortSignal };

async function* losing(
  client: Coordinator,
  prefix: string,
  options?: WatchOptions,
): AsyncGenerator<WatchBatch> {
  let count = 0;
  for await (const batch of client.watch(prefix, options)) {
    // The last one that is told of a key must be missing: all after the third are.
    if (++count < 4) yield batch;
  }
}

async function* split(
  client: Coordinator,
  prefix: string,
  options?: WatchOptions,
): AsyncGenerator<WatchBatch> {
  for await (const batch of client.watch(prefix, options)) {
    const middle = batch.changes.length >> 1;
    if (batch.kind === "snapshot") yield batch;
    else {
      yield { ...batch, changes: batch.changes.slice(0, middle) };
      yield { ...batch, changes: batch.changes.slice(middle) };
    }
  }
}

async function* again(
  client: Coordinator,
  prefix: string,
  options?: WatchOptions,
): AsyncGenerator<WatchBatch> {
  let last: WatchBatch | undefined;
  for await (const batch of client.watch(prefix, options)) {
    yield batch;
    if (last?.kind === "delta") yield last;
    last = batch;
  }
}

describe("the suite fails a coordinator that", () => {
  for (const [name, { case: guarded, bend }] of Object.entries(broken)) {
    test(name, async () => {
      // The suite waits long before it calls a state lost: on a clock that is moved by hand.
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
      try {
        const guard = memory(bend).find((one) => one.name === guarded);
        const failing = expect(guard?.run()).rejects.toThrow();
        await vi.advanceTimersByTimeAsync(patienceMs + 1_000);
        await failing;
      } finally {
        vi.useRealTimers();
      }
    });
  }
});
