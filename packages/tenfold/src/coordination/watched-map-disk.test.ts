import { afterEach, describe, expect, test, vi } from "vitest";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { type MemoryStore, memoryStore } from "../engines/memory/store.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { silentLog } from "../runtime/log.ts";
import { seededRandom } from "../runtime/random.ts";
import type { Storage } from "../runtime/storage.ts";
import { type VirtualClock, virtualClock } from "../simulation/virtual-clock.ts";
import type { Coordinator } from "./coordinator.ts";
import { raiseGeneration } from "./generation.ts";
import { createKeptSession } from "./kept-session.ts";
import { type WatchedMap, watchedMap, watchedMapDefaults } from "./watched-map.ts";

const prefix = "/fleet/m/";
const file = `maps/${encodeURIComponent(prefix)}.json`;

/** A disk that survives its processes. */
function memoryStorage(): Storage & { readonly files: Map<string, string> } {
  const files = new Map<string, string>();
  const encoder = new TextEncoder();
  return {
    files,
    async read(name) {
      const text = files.get(name);
      return text === undefined ? undefined : encoder.encode(text);
    },
    async write(name, contents) {
      files.set(name, String(contents));
    },
    create: () => Promise.reject(new Error("not needed")),
    remove: () => Promise.reject(new Error("nothing may be removed")),
    list: async () => [...files.keys()],
  };
}

const open: WatchedMap<string>[] = [];
afterEach(() => {
  for (const map of open.splice(0)) map.close();
});

function stand() {
  const store = memoryStore();
  const clock = virtualClock();
  const storage = memoryStorage();
  const lines: string[] = [];
  const log = {
    ...silentLog,
    ...{
      warn: (text: string) => void lines.push(text),
      error: (text: string) => void lines.push(text),
    },
  };
  const runtime = { clock, log, random: seededRandom("map") };
  const start = (client: Pick<Coordinator, "list" | "watch">, fleet = "f") => {
    const map = watchedMap(client, prefix, String, { disk: { storage, fleet }, runtime });
    open.push(map);
    return map;
  };
  return { store, clock, storage, lines, start, runtime };
}

const put = async (store: MemoryStore, names: readonly string[], value = "v") => {
  store.transact({ change: names.map((name) => ({ put: `${prefix}${name}`, value })) });
};

/** A coordinator that nobody reaches. */
const gone: Pick<Coordinator, "list" | "watch"> = {
  list: () => Promise.reject(new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", "away")),
  async *watch(_, { signal } = {}) {
    await new Promise((ended) => signal?.addEventListener("abort", ended, { once: true }));
  },
};

/** Runs a process that hears the map and has it on disk. */
async function once({ clock, start }: ReturnType<typeof stand>, store: MemoryStore): Promise<void> {
  const map = start(createMemoryCoordinator({ store }));
  await map.ready;
  await clock.advance(2_000);
  map.close();
}

const settle = (clock: VirtualClock) => clock.advance(watchedMapDefaults.diskAfterMs + 1);

describe("a map on disk", () => {
  test("is what a process begins with when the coordinator is gone, with its age", async () => {
    const ground = stand();
    const { store, clock, start } = ground;
    await put(store, ["a", "b"]);
    await once(ground, store);
    await clock.advance(60_000);
    const map = start(gone);
    await clock.advance(watchedMapDefaults.diskAfterMs - 1);
    expect([map.source, map.current.size, map.ageMs]).toEqual(["nowhere", 0, undefined]);
    await settle(clock);
    await map.ready;
    expect(map.source).toBe("disk");
    expect([...map.current]).toEqual([
      ["a", "v"],
      ["b", "v"],
    ]);
    expect(map.ageMs).toBeGreaterThan(60_000);
    expect(map.revision).toBeDefined();
  });

  test("is not used when the coordinator answers", async () => {
    const ground = stand();
    const { store, clock, start } = ground;
    await put(store, ["a", "b", "c", "d"]);
    await once(ground, store);
    store.transact({ change: ["a", "b", "c"].map((name) => ({ delete: `${prefix}${name}` })) });
    const map = start(createMemoryCoordinator({ store }));
    await map.ready;
    expect([...map.current.keys()]).toEqual(["d"]);
    await settle(clock);
    expect(map.source).toBe("coordinator");
    expect(map.heldBack.size).toBe(0);
  });

  test("is written at a bounded rate, the last state last", async () => {
    const { store, clock, storage, start } = stand();
    const writes = vi.spyOn(storage, "write");
    const map = start(createMemoryCoordinator({ store }));
    await map.ready;
    for (let index = 0; index < 100; index++) {
      await put(store, [`n${index}`]);
      await clock.advance(50);
    }
    await clock.advance(2_000);
    expect(writes.mock.calls.length).toBeLessThanOrEqual(8);
    expect(JSON.parse(storage.files.get(file) ?? "").values).toHaveLength(100);
  });

  test.each([
    ["broken", "{"],
    ["of a newer format", JSON.stringify({ format: 2, fleet: "f", prefix, values: [] })],
    ["of another fleet", JSON.stringify({ format: 1, fleet: "g", prefix, values: [["a", "v"]] })],
    [
      "no map",
      JSON.stringify({
        format: 1,
        fleet: "f",
        prefix,
        generation: 0,
        revision: "1",
        savedAtMs: 1,
        values: [1],
      }),
    ],
    ["without its age", JSON.stringify({ format: 1, fleet: "f", prefix, values: [] })],
  ])("that is %s is left alone, and said so", async (_, text) => {
    const { store, clock, storage, start, lines } = stand();
    storage.files.set(file, text);
    const away = start(gone);
    await settle(clock);
    expect([away.source, away.current.size]).toEqual(["nowhere", 0]);
    expect(lines).toHaveLength(1);
    const map = start(createMemoryCoordinator({ store }));
    await map.ready;
    await put(store, ["a"]);
    await clock.advance(5_000);
    expect(map.current.size).toBe(1);
    expect(storage.files.get(file)).toBe(text);
  });

  test("a full disk is said, and tried again", async () => {
    const { store, clock, storage, start, lines } = stand();
    vi.spyOn(storage, "write").mockRejectedValueOnce(new Error("ENOSPC"));
    const map = start(createMemoryCoordinator({ store }));
    await map.ready;
    await put(store, ["a"]);
    await clock.advance(5_000);
    expect(lines).toHaveLength(1);
    expect(storage.files.size).toBe(0);
    await clock.advance(10_000);
    expect(storage.files.size).toBe(1);
  });
});

describe("after an outage", () => {
  test("an empty map waits to be confirmed, then is believed", async () => {
    const ground = stand();
    const { store, clock, start } = ground;
    await put(store, ["a", "b", "c"]);
    await once(ground, store);
    store.transact({ change: ["a", "b", "c"].map((name) => ({ delete: `${prefix}${name}` })) });
    const { client, answer } = lateCoordinator(store);
    const map = start(client);
    await settle(clock);
    expect(map.source).toBe("disk");
    answer();
    await clock.advance(100);
    expect([map.source, map.current.size, map.heldBack.size]).toEqual(["coordinator", 3, 3]);
    await put(store, ["b"], "again");
    await clock.advance(100);
    expect([...map.heldBack]).toEqual(["a", "c"]);
    expect(map.current.get("b")).toBe("again");
    await clock.advance(6_000);
    expect([...map.current.keys()]).toEqual(["b"]);
  });

  test("entries that end with everybody's sessions stay until they come back", async () => {
    const { store, clock, runtime } = stand();
    const client = createMemoryCoordinator({ store });
    const session = createKeptSession(client, { runtime });
    await clock.advance(1);
    const others = [store.openSession(() => {}), store.openSession(() => {})];
    for (const [index, id] of others.entries()) {
      store.transact({
        change: [{ put: `${prefix}${index}`, value: "v", session: { id } as never }],
      });
    }
    const map = watchedMap(client, prefix, String, { session, runtime });
    open.push(map);
    await map.ready;
    store.endSession(session.current?.id ?? "");
    for (const id of others) store.endSession(id);
    await clock.advance(10);
    expect(map.current.size).toBe(2);
    await put(store, ["0", "1"], "again");
    await clock.advance(10);
    expect([map.heldBack.size, map.current.get("0")]).toEqual([0, "again"]);
    await session.close();
  });

  test("a younger store is not believed until its generation is raised", async () => {
    const ground = stand();
    const { store, clock, start, lines } = ground;
    await put(store, ["a"]);
    const backup = store.backUp();
    await put(store, ["b", "c", "d"]);
    await once(ground, store);
    store.restore(backup);
    const client = createMemoryCoordinator({ store });
    const map = start(client);
    await clock.advance(100);
    await map.ready;
    expect([map.source, map.current.size]).toEqual(["disk", 4]);
    await clock.advance(60_000);
    expect(lines.filter((line) => line.includes("younger"))).toHaveLength(1);
    expect(map.current.size).toBe(4);
    await raiseGeneration(createMemoryCoordinator({ store }), clock.wallNow());
    await clock.advance(10_000);
    expect(map.source).toBe("coordinator");
    expect([...map.current.keys()]).toEqual(["a"]);
  });
});

/** One that begins to answer when told so. */
function lateCoordinator(store: MemoryStore) {
  const inner = createMemoryCoordinator({ store });
  const there = Promise.withResolvers<void>();
  const client: Pick<Coordinator, "list" | "watch"> = {
    async list(...args) {
      await there.promise;
      return await inner.list(...args);
    },
    async *watch(...args) {
      await there.promise;
      yield* inner.watch(...args);
    },
  };
  return { client, answer: () => there.resolve() };
}
