import { describe, expect, test, vi } from "vitest";

import type { Coordinator, TransactionResult } from "../coordination/coordinator.ts";
import { fleetKeys } from "../coordination/keys.ts";
import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { memoryStore } from "../engines/memory/store.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import { defineSettings } from "./setting-definition.ts";
import { createSettings } from "./settings.ts";
import { settingsAdmin } from "./settings-admin.ts";

const eventually = <Result>(check: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(check, { timeout: 45_000 });

const fleet = "f";
const definitions = defineSettings({
  "a.on": { kind: "boolean", default: true, description: "on" },
  "a.max": { kind: "number", default: 10, min: 1, max: 100, description: "most" },
});

async function stand(bend: (client: Coordinator) => Coordinator = (client) => client) {
  const store = memoryStore();
  const client = createMemoryCoordinator({ store });
  const settings = createSettings({ coordinator: client, fleet, definitions });
  const admin = settingsAdmin({ coordinator: bend(createMemoryCoordinator({ store })), fleet });
  await settings.settled;
  await eventually(async () => expect(await admin.list()).toHaveLength(2));
  return { client, settings, admin };
}

const by = "ada";

test("a change reaches every process; who, when and why are remembered; undo is a change", async () => {
  const { client, settings, admin } = await stand();
  const others = Array.from({ length: 20 }, () =>
    createSettings({ coordinator: client, fleet, definitions }),
  );
  const first = await admin.set({ name: "a.max", value: 20, by, why: "more load" });
  expect(first).toMatchObject({ change: 1, value: 20, by, why: "more load" });
  for (const one of [settings, ...others]) {
    await eventually(() => expect(one.current["a.max"]).toBe(20));
  }
  await admin.set({ name: "a.max", value: 30, by: "bob" });
  const undone = await admin.undo({ name: "a.max", by });
  expect(undone).toMatchObject({ change: 3, value: 20, by, why: "undo of change 2" });
  await eventually(() => expect(settings.explain("a.max").change?.change).toBe(3));
  expect(await admin.undo({ name: "a.max", by })).toMatchObject({ change: 4, value: 30 });
  const history = await admin.history("a.max");
  expect(history.map(({ value }) => value)).toEqual([30, 20, 30, 20]);
  expect(await admin.get("a.max")).toMatchObject({ value: 30, change: { change: 4 } });
  await Promise.all([settings, ...others].map((one) => one.close()));
});

test("undo of the first change is the default again", async () => {
  const { settings, admin } = await stand();
  await expect(admin.undo({ name: "a.on", by })).rejects.toMatchObject({
    code: "TENFOLD_FLAGS_NOTHING_TO_UNDO",
  });
  await admin.set({ name: "a.on", value: false, by });
  await eventually(() => expect(settings.current["a.on"]).toBe(false));
  expect(await admin.undo({ name: "a.on", by })).not.toHaveProperty("value");
  await eventually(() => expect(settings.current["a.on"]).toBe(true));
  await admin.set({ name: "a.on", value: false, by });
  await admin.set({ name: "a.on", by, why: "reset" });
  expect(await admin.get("a.on")).toMatchObject({ value: true, change: { why: "reset" } });
  await settings.close();
});

test("readers get whole values, the current ones first", async () => {
  const { settings, admin } = await stand();
  const seen: number[] = [];
  for await (const values of settings.watch()) {
    seen.push(values["a.max"]);
    if (seen.length === 3) break;
    await admin.set({ name: "a.max", value: seen.length * 20, by });
  }
  expect(seen).toEqual([10, 20, 40]);
  await settings.close();
});

describe("refused", () => {
  test.each([
    [{ name: "a.min", value: 1, by }, "TENFOLD_FLAGS_SETTING_UNKNOWN"],
    [{ name: "__proto__", value: 1, by }, "TENFOLD_FLAGS_SETTING_UNKNOWN"],
    [{ name: "a.max", value: 0, by }, "TENFOLD_FLAGS_VALUE_INVALID"],
    [{ name: "a.max", value: "20", by }, "TENFOLD_FLAGS_VALUE_INVALID"],
    [{ name: "a.max", value: Number.NaN, by }, "TENFOLD_FLAGS_VALUE_INVALID"],
    [{ name: "a.max", value: 20, by: "" }, "TENFOLD_OPTION_INVALID"],
    [{ name: "a.max", value: 20, by, why: "x".repeat(201) }, "TENFOLD_OPTION_INVALID"],
  ])("a wrong change changes nothing: %o", async (request, code) => {
    const { client, settings, admin } = await stand();
    await expect(admin.set(request)).rejects.toMatchObject({ code });
    expect((await client.list(fleetKeys(fleet).settings())).entries).toEqual([]);
    await settings.close();
  });

  test("a change of something that has changed meanwhile", async () => {
    const { settings, admin } = await stand();
    const seen = (await admin.set({ name: "a.max", value: 20, by })).change;
    await admin.set({ name: "a.max", value: 30, by, ifChange: seen });
    const late = admin.set({ name: "a.max", value: 40, by, ifChange: seen });
    await expect(late).rejects.toMatchObject({
      code: "TENFOLD_FLAGS_CHANGED_MEANWHILE",
      details: { change: 2 },
    });
    await settings.close();
  });
});

test("of many who change at once each is recorded, in order", async () => {
  const { settings, admin } = await stand();
  await Promise.all(
    Array.from({ length: 10 }, (_, index) => admin.set({ name: "a.max", value: index + 1, by })),
  );
  const history = await admin.history("a.max");
  expect(history.map(({ change }) => change)).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  expect(new Set(history.map(({ value }) => value)).size).toBe(10);
  await settings.close();
});

test("the history is bounded, and numbers go on", async () => {
  const { settings, admin } = await stand();
  for (let index = 0; index < 60; index++) {
    await admin.set({ name: "a.max", value: 1 + (index % 100), by });
  }
  const history = await admin.history("a.max");
  expect([history.length, history[0]?.change]).toEqual([50, 60]);
  await settings.close();
});

test("a change whose answer was lost is made once", async () => {
  let isLost = true;
  const { settings, admin } = await stand((inner) => ({
    ...inner,
    async transact(...args): Promise<TransactionResult> {
      const result = await inner.transact(...args);
      if (!isLost) return result;
      isLost = false;
      return { outcome: "indeterminate", cause: "the answer was lost" };
    },
  }));
  await admin.set({ name: "a.max", value: 20, by });
  expect(await admin.history("a.max")).toHaveLength(1);
  await settings.close();
});

test("what nobody can read is shown as such, and can be set right", async () => {
  const { client, settings, admin } = await stand();
  const prefix = fleetKeys(fleet).settings();
  await client.transact({
    change: [
      { put: `${prefix}a.max`, value: "{" },
      {
        put: `${prefix}old.thing`,
        value: '{"format":1,"change":1,"id":"x","by":"b","atMs":1,"why":""}',
      },
    ],
  });
  expect(await admin.list()).toMatchObject([
    { name: "a.max", problem: expect.stringContaining("no JSON") },
    { name: "a.on", problem: undefined },
    { name: "old.thing", definition: undefined, problem: expect.stringContaining("no program") },
  ]);
  expect(settings.current["a.max"]).toBe(10);
  await admin.set({ name: "a.max", value: 20, by });
  await eventually(() => expect(settings.current["a.max"]).toBe(20));
  await settings.close();
});

test("without a coordinator the defaults apply after a moment", async () => {
  const clock = virtualClock();
  const away = () => Promise.reject(new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", "away"));
  const coordinator: Pick<Coordinator, "list" | "transact" | "watch"> = {
    ...{ list: away, transact: away },
    async *watch(_, { signal } = {}) {
      await new Promise((ended) => signal?.addEventListener("abort", ended, { once: true }));
    },
  };
  const settings = createSettings({ coordinator, fleet, definitions, runtime: { clock } });
  let isSettled = false;
  void settings.settled.then(() => {
    isSettled = true;
  });
  await clock.advance(1_000);
  expect(isSettled).toBe(false);
  await clock.advance(1_000);
  expect([isSettled, settings.source, settings.current["a.max"]]).toEqual([true, "nowhere", 10]);
  await settings.close();
});
