// `npm run lab -- r57 r58 [--json]`: runs experiments and exits 1 when a claim does not hold.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { assertSources } from "./support/assert-sources.ts";
import type { Experiment } from "./support/experiment.ts";
import { describeMachine, machineText } from "./support/machine.ts";
import { type ExperimentReport, runExperiment } from "./support/run-experiment.ts";

const usage = `npm run lab -- ID … [--json] [--full]   runs the experiments of these requirements
npm run lab -- r58 --coordinator etcd   with three etcd nodes instead of the embedded one
npm run lab -- all [--json] [--full]    runs every experiment; --full: as large as they come
npm run lab                             lists them`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    coordinator: { type: "string", default: "embedded" },
    folder: { type: "string", default: import.meta.dirname },
    out: { type: "string", default: join(import.meta.dirname, "out") },
  },
});

assertSources();
const coordinator: "etcd" | "embedded" = values.coordinator === "etcd" ? "etcd" : "embedded";
const experiments = await loadExperiments(resolve(values.folder));
const chosen = choose(positionals);
if (chosen === undefined) process.exitCode = 2;
else if (chosen.length === 0) list();
else await runAll(chosen);

async function loadExperiments(folder: string): Promise<Experiment[]> {
  const names = readdirSync(folder).filter((name) => /^r\d+-[\w-]+\.ts$/.test(name));
  const number = (name: string): number => Number(/\d+/.exec(name)?.[0]);
  const loaded: Experiment[] = [];
  for (const name of names.sort((a, b) => number(a) - number(b) || (a < b ? -1 : 1))) {
    const module = await import(pathToFileURL(join(folder, name)).href);
    const { experiment } = module as { experiment?: Experiment };
    if (experiment === undefined) throw new Error(`lab/${name} must export \`experiment\``);
    loaded.push(experiment);
  }
  return loaded;
}

/** The experiments asked for; undefined, after saying why, when there is no such one. */
function choose(ids: readonly string[]): readonly Experiment[] | undefined {
  if (ids.includes("all")) return experiments;
  const wanted = ids.map((id) => id.toUpperCase().replace(/^R0+/, "R"));
  const unknown = wanted.filter((id) => !experiments.some((each) => each.id === id));
  if (unknown.length === 0) return experiments.filter(({ id }) => wanted.includes(id));
  console.error(`There is no experiment ${unknown.join(", ")}.\n\n${usage}\n`);
  list();
  return undefined;
}

function list(): void {
  if (positionals.length === 0) console.log(`${usage}\n`);
  for (const { id, title, expectedMinutes } of experiments) {
    console.log(`${id.padEnd(5)} ${title} (about ${expectedMinutes} min)`);
  }
}

async function runAll(all: readonly Experiment[]): Promise<void> {
  const outFolder = resolve(values.out);
  mkdirSync(outFolder, { recursive: true });
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(1);
    stop.abort(new Error("the run was told to end"));
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  process.once("disconnect", onSignal);
  const said: string[] = [];
  const say = (line: string): void => {
    said.push(line);
    // With --json standard output is for the document alone.
    (values.json ? process.stderr : process.stdout).write(`${line}\n`);
  };
  const machine = describeMachine();
  say(machineText(machine));
  const reports: ExperimentReport[] = [];
  for (const experiment of all) {
    if (stop.signal.aborted) break;
    const { full } = values;
    const options = { machine, full, coordinator, outFolder, say, signal: stop.signal };
    reports.push(await runExperiment(experiment, options));
  }
  const failed = reports.filter(({ holds }) => !holds).map(({ id }) => id);
  const complete = reports.length === all.length;
  say(`\n${reports.length - failed.length} of ${all.length} claims hold`);
  const document = `${JSON.stringify({ machine, experiments: reports }, undefined, 2)}\n`;
  const name = all.map(({ id }) => id.toLowerCase()).join("-");
  writeFileSync(join(outFolder, `${name}.json`), document);
  writeFileSync(join(outFolder, `${name}.txt`), `${said.join("\n")}\n`);
  const exitCode = complete && failed.length === 0 ? 0 : 1;
  // At once when all is written: a peer's client may go on for ever for a server that is gone.
  process.stdout.write(values.json ? document : "", () => process.exit(exitCode));
}
