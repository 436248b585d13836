import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";

const module = new URL("./turn.js", import.meta.url).href;
const running: ChildProcess[] = [];
const folder = mkdtempSync(join(tmpdir(), "tenfold-turn-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

/** Takes the turn of a folder, says so, and holds it until told to end. */
function taker(folder: string) {
  const code = `
    const { takeTurn } = await import(${JSON.stringify(module)});
    const release = await takeTurn(${JSON.stringify(folder)}, () => console.log("waits"));
    console.log("holds");
    process.once("SIGTERM", () => { release(); console.log("released"); });
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code]);
  running.push(child);
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  const says = async (word: string): Promise<void> => {
    while (!said.includes(word)) await once(child.stdout, "data");
  };
  return { child, says, said: () => said };
}

test("a turn goes to the next when it is released, and when its holder is killed", async () => {
  const first = taker(folder);
  await first.says("holds");
  const second = taker(folder);
  await second.says("waits");
  expect(second.said()).not.toContain("holds");
  first.child.kill("SIGTERM");
  await second.says("holds");
  const third = taker(folder);
  await third.says("waits");
  second.child.kill("SIGKILL");
  await third.says("holds");
  const other = taker(join(folder, "other"));
  await other.says("holds");
  expect(other.said()).not.toContain("waits");
});
