import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { lockFolder } from "./folder-lock.ts";
import { checkPorts, takeDataFolder } from "./preflight.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-preflight-"));
});
const take = (dataFolder: string, fresh: boolean, fleet = "shop", host = "local") =>
  takeDataFolder({ dataFolder, fleet, host }, fresh);
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a second taker of a folder is refused; after the release it may", async () => {
  const lock = await take(folder, false);
  await expect(take(folder, false)).rejects.toMatchObject({
    code: "TENFOLD_FLEET_ALREADY_RUNNING",
  });
  lock.release();
  (await take(folder, false)).release();
});

test("a killed holder leaves no lock behind", async () => {
  const module = new URL("./folder-lock.ts", import.meta.url).href;
  const code = `import { lockFolder } from "${module}"; lockFolder(${JSON.stringify(folder)});
    console.log("held"); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module-typescript", "-e", code]);
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  expect(() => lockFolder(folder)).toThrow(/already runs/);
  const ended = new Promise((resolve) => holder.once("exit", resolve));
  holder.kill("SIGKILL");
  await ended;
  lockFolder(folder).release();
});

test("fresh empties the folder; data of another format, fleet or host are refused and untouched", async () => {
  (await take(folder, false)).release();
  await writeFile(join(folder, "keep"), "me");
  await expect(take(folder, false, "other")).rejects.toMatchObject({
    code: "TENFOLD_FLEET_DATA_UNKNOWN",
  });
  await expect(take(folder, false, "shop", "b")).rejects.toThrow(/host "local"; expected .*"b"/);
  await writeFile(join(folder, "format.json"), '{"format":99,"fleet":"shop"}');
  await expect(take(folder, false)).rejects.toThrow(/format 99/);
  expect(await readdir(folder)).toContain("keep");
  (await take(folder, true)).release();
  expect(await readdir(folder)).not.toContain("keep");
});

test("fresh never empties a folder that holds no fleet's data", async () => {
  await writeFile(join(folder, "thesis.txt"), "years of work");
  await expect(take(folder, true)).rejects.toMatchObject({
    code: "TENFOLD_FLEET_DATA_UNKNOWN",
  });
  expect(await readdir(folder)).toContain("thesis.txt");
});

test("what a killed --fresh left half removed is not taken for data", async () => {
  await writeFile(join(folder, "format.json"), '{"format":"half removed"}');
  await writeFile(join(folder, "store"), "half of it");
  await expect(take(folder, false)).rejects.toThrow(/half removed/);
  (await take(folder, true)).release();
  expect(await readdir(folder)).not.toContain("store");
});

test("a folder that cannot be made or written is refused with the reason", async () => {
  await writeFile(join(folder, "file"), "");
  await expect(take(join(folder, "file", "data"), false)).rejects.toMatchObject({
    code: "TENFOLD_FLEET_FOLDER_UNUSABLE",
    message: expect.stringContaining("ENOTDIR"),
  });
  await mkdir(join(folder, "locked", "lock.db"), { recursive: true });
  await expect(take(join(folder, "locked"), false)).rejects.toMatchObject({
    code: "TENFOLD_FLEET_FOLDER_UNUSABLE",
  });
});

test("an address that is not of this machine is told as such", async () => {
  const ports = new Map([[24_000, "gateway"]]);
  await expect(checkPorts({ address: "203.0.113.7" }, ports)).rejects.toThrow(
    /does not have the address/,
  );
});

test("taken ports are named together with what they are for", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const ports = new Map([[port, "gateway"]]);
  await expect(checkPorts({ address: "127.0.0.1" }, ports)).rejects.toMatchObject({
    code: "TENFOLD_FLEET_PORT_TAKEN",
    message: expect.stringContaining(`${port} (gateway: held by another program)`),
  });
  server.close();
});
