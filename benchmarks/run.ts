// `npm run bench -- [NAME …] [--json]`: each benchmark is a script of its own that prints its
// figures; this lists them, runs the named ones (or all), and exits 1 when one fails.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false } },
});
const folder = import.meta.dirname;
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".ts") && name !== "run.ts" && !name.endsWith(".test.ts"))
  .map((name) => name.replace(/\.ts$/, ""));
const unknown = positionals.filter((name) => name !== "all" && !names.includes(name));

if (positionals.length === 0 || unknown.length > 0) {
  for (const name of unknown) console.error(`There is no benchmark "${name}".`);
  console.log("npm run bench -- NAME … | all   [--json]");
  for (const name of names) console.log(`  ${name}`);
  process.exitCode = unknown.length > 0 ? 2 : 0;
} else {
  const wanted = positionals.includes("all") ? names : positionals;
  for (const name of wanted) {
    if (!values.json) console.log(`\n${name}`);
    const code = await run(join(folder, `${name}.ts`));
    if (code !== 0) process.exitCode = 1;
  }
}
if (process.connected) process.disconnect();

/** One at a time: they measure, so nothing may run beside them. */
function run(file: string): Promise<number> {
  const args = ["--conditions=tenfold:source", "--expose-gc", file];
  if (values.json) args.push("--json");
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}
