import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { directory } from "./directory.ts";
import { directoryClient } from "./directory-client.ts";
import type { DirectoryEntry } from "./directory-entry.ts";
import { modularMap } from "./modular-map.ts";
import { type Admission, type ShardGuard, shardGuard } from "./shard-guard.ts";

const shards = ["a", "b", "c"];
const base = modularMap({ version: 1, by: "value", buckets: shards });
const baseNow = () => base;

describe("a directory", () => {
  test("holds exceptions only", () => {
    const all = directory({ base: baseNow });
    expect(all.find(4n)).toEqual({ key: "4", shard: "b", epoch: 0, state: "active" });
    all.step(4n, { kind: "copy", to: "c" });
    expect([all.size, all.entryOf("4")?.state]).toEqual([1, "copying"]);
    all.step(4n, { kind: "cancel" });
    expect([all.size, all.entryOf("4")]).toEqual([0, undefined]);
  });

  test("keeps a key that came home, so that its older epochs stay refused", () => {
    const all = directory({ base: baseNow });
    for (const to of ["c", "b"]) move(all, "4", to);
    expect(all.entryOf("4")).toEqual({ key: "4", shard: "b", epoch: 2, state: "active" });
  });

  test("is bounded, and takes stored entries unless they are older", () => {
    const all = directory({ base: baseNow, entriesMax: 1 });
    all.restore({ key: "1", shard: "c", epoch: 5, state: "active" });
    all.restore({ key: "1", shard: "a", epoch: 4, state: "active" });
    expect(all.find("1").epoch).toBe(5);
    expect(() => all.step("2", { kind: "copy", to: "a" })).toThrow(
      expect.objectContaining({ code: "TENFOLD_PARTITIONING_DIRECTORY_FULL" }),
    );
    expect([...all.entries()].map(({ key }) => key)).toEqual(["1"]);
  });
});

describe("a client", () => {
  const entry = (key: string, epoch: number, shard = "c"): DirectoryEntry => ({
    key,
    shard,
    epoch,
    state: "active",
  });

  test("is sure of the default by the filter alone, and asks for what the filter may hold", () => {
    const all = directory({ base: baseNow });
    move(all, "1", "c");
    const client = directoryClient({ base: baseNow });
    expect(client.route("1")).toMatchObject({ shard: "b", epoch: 0, source: "unsure" });
    client.takeFilter(all.filter());
    expect(client.route("2").source).toBe("default");
    expect(client.route("1").source).toBe("unsure");
    client.learn(all.find("1"));
    expect(client.route("1")).toEqual({ shard: "c", epoch: 1, state: "active", source: "entry" });
    expect(client.stats().routes).toEqual({ entry: 1, default: 1, unsure: 2 });
  });

  test("keeps the newer of two, whatever order they come in", () => {
    const client = directoryClient({ base: baseNow });
    expect([client.learn(entry("1", 3)), client.learn(entry("1", 2, "a"))]).toEqual([true, false]);
    client.learnDefault("1");
    expect(client.route("1")).toMatchObject({ shard: "c", epoch: 3 });
  });

  test("asks again for a key that it heard of and forgot, though its filter is older", () => {
    const client = directoryClient({ base: baseNow, entriesMax: 1 });
    client.learn(entry("5", 1));
    client.takeFilter(directory({ base: baseNow }).filter());
    client.learn(entry("1", 1));
    client.learn(entry("2", 1));
    expect(["5", "1", "4"].map((key) => client.route(key).source)).toEqual([
      "unsure",
      "unsure",
      "default",
    ]);
  });

  test("remembers a bounded number of keys, those used last", () => {
    const client = directoryClient({ base: baseNow, entriesMax: 2 });
    for (const key of ["1", "2"]) client.learn(entry(key, 1));
    client.route("1");
    client.learn(entry("3", 1));
    expect(["1", "2", "3"].map((key) => client.route(key).source)).toEqual([
      "entry",
      "unsure",
      "entry",
    ]);
    expect(client.stats()).toMatchObject({ remembered: 2, evictions: 1 });
  });
});

describe("moves under clients that hear late or never, the directory away at times", () => {
  const command = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("call" as const), ...callFields() }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("mover" as const), pick: fc.nat() }) },
    fc.record({ do: fc.constant("hear" as const), client: fc.nat(1), pick: fc.nat() }),
    fc.record({ do: fc.constant("filter" as const), client: fc.nat(1) }),
    fc.record({ do: fc.constant("away" as const) }),
  );
  const commands = fc.array(command, { minLength: 20, maxLength: 200 });

  test("every read sees the last acknowledged write, with one hop too many at most", () => {
    fc.assert(
      fc.property(commands, (all) => void play(all, shardGuard)),
      { numRuns: 300 },
    );
  });

  test("canary: shards that do not check the epoch lose writes", () => {
    const careless: typeof shardGuard = (options) => ({
      ...shardGuard(options),
      check: (): Admission => ({ kind: "here" }),
    });
    const result = fc.check(
      fc.property(commands, (all) => void play(all, careless)),
      { numRuns: 300 },
    );
    expect(result.failed).toBe(true);
  });

  function play(all: readonly Command[], guardOf: typeof shardGuard): void {
    const world = createWorld(guardOf);
    for (const each of all) {
      if (each.do === "call") world.call(each);
      else if (each.do === "mover") world.mover(each.pick);
      else if (each.do === "hear") world.hear(each.client, each.pick);
      else if (each.do === "filter") world.filter(each.client);
      else world.away();
    }
    // The directory stays away for good: all moves that were begun are at rest, and all is found.
    world.finish();
    for (const key of keys) for (const client of [0, 1]) world.call({ client, key, write: false });
  }
});

type Command =
  | ({ readonly do: "call" } & Call)
  | { readonly do: "mover"; readonly pick: number }
  | { readonly do: "hear"; readonly client: number; readonly pick: number }
  | { readonly do: "filter"; readonly client: number }
  | { readonly do: "away" };

interface Call {
  readonly client: number;
  readonly key: string;
  readonly write: boolean;
}

const keys = ["0", "1", "2"];

function callFields() {
  return { client: fc.nat(1), key: fc.constantFrom(...keys), write: fc.boolean() };
}

function move(all: ReturnType<typeof directory>, key: string, to: string): void {
  all.step(key, { kind: "copy", to });
  for (const kind of ["catch-up", "fence", "commit"] as const) all.step(key, { kind });
}

/** Three shards with data, a mover, two clients with little memory, pushes that may be lost. */
function createWorld(guardOf: typeof shardGuard) {
  const all = directory({ base: baseNow });
  const guards = new Map<string, ShardGuard>(
    shards.map((shard) => [shard, guardOf({ shard, base: baseNow })]),
  );
  const data = new Map(shards.map((shard) => [shard, new Map<string, number>()]));
  const clients = [0, 1].map(() => directoryClient({ base: baseNow, entriesMax: 2 }));
  const acknowledged = new Map<string, number>();
  /** Tellings of a finished move that have not reached their shard. */
  const untold: { shard: string; entry: DirectoryEntry }[] = [];
  let pushed: DirectoryEntry[] = [];
  let away = false;
  let writes = 0;

  const tell = (entry: DirectoryEntry, ...to: readonly string[]): void => {
    untold.push(...[...new Set(to)].map((shard) => ({ shard, entry })));
  };
  const deliver = (pick: number): void => {
    const [told] = untold.splice(pick % untold.length, 1);
    if (told !== undefined) guards.get(told.shard)?.apply(told.entry);
  };
  const stepOn = (key: string, pick: number): void => {
    const before = all.find(key);
    const { state, shard } = before;
    if (state === "active") {
      const others = shards.filter((each) => each !== shard);
      pushed.push(all.step(key, { kind: "copy", to: others[pick % others.length] as string }));
    } else if (pick % 5 === 0) {
      const entry = all.step(key, { kind: "cancel" });
      guards.get(shard)?.apply(entry);
      pushed.push(entry);
    } else if (state === "copying") {
      pushed.push(all.step(key, { kind: "catch-up" }));
    } else if (state === "catching-up") {
      const entry = all.step(key, { kind: "fence" });
      guards.get(shard)?.apply(entry);
      pushed.push(entry);
    } else {
      const entry = all.step(key, { kind: "commit" });
      const value = data.get(shard)?.get(key);
      if (value !== undefined) data.get(entry.shard)?.set(key, value);
      tell(entry, entry.shard, shard, base.shardOfKey(key));
      pushed.push(entry);
    }
  };
  return {
    call({ client, key, write }: Call): void {
      const known = clients[client] as (typeof clients)[number];
      let { shard, epoch, source } = known.route(key);
      if (source === "unsure" && !away && writes % 2 === 0) {
        const answer = all.entryOf(key);
        if (answer === undefined) known.learnDefault(key);
        else known.learn(answer);
        ({ shard, epoch } = known.route(key));
      }
      const byDefault = epoch === 0;
      for (let hop = 0; ; hop++) {
        const answer = (guards.get(shard) as ShardGuard).check(key, epoch);
        if (answer.kind === "wait") {
          // Only while a move is under way does anybody wait.
          expect(untold.length > 0 || all.find(key).state === "fenced").toBe(true);
          return;
        }
        if (answer.kind === "elsewhere") {
          known.learn(answer.entry);
          ({ shard, epoch } = answer.entry);
          // The default place knows of every move; an old entry leads along the moves since.
          if (untold.length === 0) expect(hop).toBeLessThan(byDefault ? 1 : all.find(key).epoch);
          else if (hop > 3) return;
          continue;
        }
        const rows = data.get(shard) as Map<string, number>;
        if (write) {
          writes += 1;
          rows.set(key, writes);
          acknowledged.set(key, writes);
        } else {
          expect(rows.get(key)).toBe(acknowledged.get(key));
        }
        return;
      }
    },
    mover(pick: number): void {
      if (untold.length > 0) deliver(pick);
      else if (!away) stepOn(keys[pick % keys.length] as string, pick >>> 2);
    },
    hear(client: number, pick: number): void {
      const entry = pushed[pick % Math.max(1, pushed.length)];
      if (entry !== undefined) clients[client]?.learn(entry);
      if (pick % 7 === 0) pushed = [];
    },
    filter: (client: number) => clients[client]?.takeFilter(all.filter()),
    away(): void {
      away = !away;
    },
    finish(): void {
      while (untold.length > 0) deliver(0);
      for (const { key, state, shard } of [...all.entries()]) {
        if (state !== "active") guards.get(shard)?.apply(all.step(key, { kind: "cancel" }));
      }
      away = true;
    },
  };
}
