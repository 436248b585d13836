// Compiles every workspace whose sources changed since its last build. Plain JavaScript for Node >=
// 20.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";

/** In order: what a project imports is built before it. */
const projects = [
  { folder: "packages/tenfold", output: "dist", tool: "tsc" },
  { folder: "packages/cli", output: "dist", tool: "tsc", after: "packages/tenfold" },
  { folder: "apps/posts", output: "dist", tool: "tsc", after: "packages/tenfold" },
  { folder: "packages/console", output: "../cli/assets", tool: "vite" },
];
const outputs = projects
  .map(({ output }) => basename(output))
  .flatMap((name) => [name, `${name}.new`]);
const ignored = new Set(["node_modules", "coverage", ".tenfold", ...outputs]);

/** @param {{ root: string, node: string }} options */
export async function build({ root, node }) {
  const done = new Set();
  for (const { folder, output, tool, after } of projects) {
    const path = join(root, folder);
    const stamp = join(path, output, ".stamp");
    const wanted = fingerprint(path);
    const fresh = existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
    if (fresh && !done.has(after)) continue;
    const began = Date.now();
    // Built aside and swapped, so that a fleet that runs from here finds whole modules at any time.
    const target = join(path, output);
    rmSync(`${target}.new`, { recursive: true, force: true });
    await run(node, root, tool, path, `${target}.new`).catch((error) => {
      rmSync(`${target}.new`, { recursive: true, force: true });
      throw error;
    });
    writeFileSync(join(`${target}.new`, ".stamp"), wanted);
    rmSync(target, { recursive: true, force: true });
    renameSync(`${target}.new`, target);
    done.add(folder);
    console.log(`Built ${folder} in ${((Date.now() - began) / 1000).toFixed(1)} s.`);
  }
}

/** Changes when a source file is added, removed or edited. */
function fingerprint(path) {
  const hash = createHash("sha256");
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort(byName)) {
      if (ignored.has(entry.name) || entry.name.endsWith(".test.ts")) continue;
      const file = join(folder, entry.name);
      if (entry.isDirectory()) visit(file);
      else {
        const { mtimeMs, size } = statSync(file);
        hash.update(`${file} ${mtimeMs} ${size}\n`);
      }
    }
  };
  visit(path);
  return hash.digest("hex");
}

function byName(a, b) {
  return a.name < b.name ? -1 : 1;
}

function run(node, root, tool, path, target) {
  const programs = {
    tsc: [
      join(root, "node_modules/typescript/bin/tsc"),
      "-p",
      join(path, "tsconfig.build.json"),
      "--outDir",
      target,
    ],
    vite: [
      join(root, "node_modules/vite/bin/vite.js"),
      "build",
      path,
      "--outDir",
      target,
      "--logLevel",
      "error",
    ],
  };
  return new Promise((resolve, reject) => {
    const child = spawn(node, programs[tool], { cwd: root, stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${tool} failed in ${path}; its messages are above.`));
    });
  });
}
