import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Coordinator } from "tenfold/coordination";
import { createCoordinatorNode } from "tenfold/engines/coordinator-node";
import { connectEtcd } from "tenfold/engines/etcd";
import { createSettings, defineSettings } from "tenfold/flags";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { main } from "../main.ts";

const eventually = <Result>(check: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(check, { timeout: 45_000 });

const token = "of-the-settings-test";
const folder = mkdtempSync(join(tmpdir(), "tenfold-settings-"));
const definitions = defineSettings({
  "a.max": { kind: "number", default: 10, min: 1, max: 100, description: "how many" },
  "a.on": { kind: "boolean", default: true, description: "whether at all" },
});
let node: Awaited<ReturnType<typeof createCoordinatorNode>>;
let coordinator: Coordinator;
let url = "";

beforeAll(async () => {
  process.env.SETTINGS_TEST_TOKEN = token;
  const listen = { host: "127.0.0.1", port: 0 };
  node = await createCoordinatorNode({ listen, dataFolder: folder, token });
  url = `etcd://127.0.0.1:${node.address.port}`;
  coordinator = connectEtcd({ endpoints: url, token });
});

afterAll(async () => {
  await coordinator.close();
  await node.close();
  rmSync(folder, { recursive: true });
  delete process.env.SETTINGS_TEST_TOKEN;
});

/** What the program prints, its exit code, and the code of its error. */
async function tenfold(...args: readonly string[]) {
  const told = { out: "", err: "" };
  const into = (kind: "out" | "err") => (text: string | Uint8Array) => {
    told[kind] += String(text);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation(into("out")),
    vi.spyOn(process.stderr, "write").mockImplementation(into("err")),
  ];
  const access = ["--coordinator", url, "--token", "env:SETTINGS_TEST_TOKEN", "--fleet", "shop"];
  try {
    await main(["node", "tenfold", "settings", ...args, ...access]);
    const failed = /TENFOLD_\w+/.exec(told.err)?.[0];
    return { out: told.out.trim(), failed, exitCode: process.exitCode ?? 0 };
  } finally {
    process.exitCode = 0;
    for (const spy of spies) spy.mockRestore();
  }
}

it("changes a running process, tells who did, and takes it back", async () => {
  const settings = createSettings({ coordinator, fleet: "shop", definitions });
  await eventually(async () => expect((await tenfold("list")).out).toContain("a.on"));
  const set = await tenfold("set", "a.max", "20", "--by", "ada", "--why", "a sale");
  expect(set.out).toBe("a.max is 20 (change 1).");
  await eventually(() => expect(settings.current["a.max"]).toBe(20));
  expect((await tenfold("get", "a.max")).out).toBe("20");
  await tenfold("set", "a.on", "off");
  await eventually(() => expect(settings.current["a.on"]).toBe(false));
  expect((await tenfold("undo", "a.max", "--by", "bob")).out).toContain("the default (change 2)");
  await eventually(() => expect(settings.current["a.max"]).toBe(10));
  const history = JSON.parse((await tenfold("history", "a.max", "--json")).out);
  expect(history).toMatchObject([
    { change: 2, by: "bob", why: "undo of change 1" },
    { change: 1, by: "ada", why: "a sale", value: 20 },
  ]);
  await tenfold("reset", "a.on");
  await eventually(() => expect(settings.current["a.on"]).toBe(true));
  expect((await tenfold("list")).out.split("\n")[1]).toMatch(
    /^a\.max +10 +10 .* by bob +how many$/,
  );
  await settings.close();
});

it.each([
  [["set", "a.max", "0"], "TENFOLD_FLAGS_VALUE_INVALID"],
  [["set", "a.max", "many"], "TENFOLD_FLAGS_VALUE_INVALID"],
  [["set", "a.on", "perhaps"], "TENFOLD_FLAGS_VALUE_INVALID"],
  [["set", "a.min", "1"], "TENFOLD_FLAGS_SETTING_UNKNOWN"],
  [["set", "a.max", "30", "--if-change", "1"], "TENFOLD_FLAGS_CHANGED_MEANWHILE"],
  [["set", "a.max", "30", "--if-change", "x"], "TENFOLD_OPTION_INVALID"],
  [["get", "a.min"], "TENFOLD_FLAGS_SETTING_UNKNOWN"],
])("refuses %j by code", async (args, code) => {
  expect(await tenfold(...args)).toMatchObject({ out: "", failed: code, exitCode: 1 });
  expect((await tenfold("get", "a.max")).out).toBe("10");
});
