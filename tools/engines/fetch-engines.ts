import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { type CommandResult, runCommand } from "../proof/run-command.ts";
import { type EngineName, type EngineRow, engineTable } from "./engine-table.ts";
import { engineRoot, findEngine } from "./find-engine.ts";

const fetchBudgetMs = 180_000;

/**
 * Unpacks the engines that are missing into `.engines/`, from Debian packages, without root and
 * without touching the system. Says what it fetches before it does. Gives back why one is missing.
 */
export async function fetchEngines(
  names: readonly EngineName[],
  say: (line: string) => void = console.log,
): Promise<ReadonlyMap<EngineName, string>> {
  const failures = new Map<EngineName, string>();
  for (const name of names) {
    if (findEngine(name) !== undefined) continue;
    const { packages, megabytes, usedFor, variable }: EngineRow = engineTable[name];
    if (process.env[variable]) {
      failures.set(name, `${variable} names no program that can be run`);
      continue;
    }
    say(
      `Fetching ${name} for ${usedFor}: Debian packages ${packages.join(", ")}, about ` +
        `${megabytes} MB, into .engines/; nothing is installed on the system.`,
    );
    const failure = await fetchEngine(engineTable[name]);
    if (failure === undefined && findEngine(name) !== undefined) continue;
    const reason = failure ?? "the packages do not hold the programs";
    failures.set(name, reason);
    say(`${name} cannot be had here: ${reason}`);
  }
  return failures;
}

async function fetchEngine(row: EngineRow): Promise<string | undefined> {
  const archives = join(engineRoot, "..", "archives");
  rmSync(archives, { recursive: true, force: true });
  mkdirSync(archives, { recursive: true });
  try {
    const apt = await packageLists(row.packages);
    if (typeof apt === "string") return apt;
    const packages = row.withLibraries ? await closure(apt, row.packages) : row.packages;
    const download = await run("apt-get", [...apt, "download", ...packages], archives);
    if (download.code !== 0) return lastLine(download);
    mkdirSync(engineRoot, { recursive: true });
    for (const archive of readdirSync(archives)) {
      const unpack = await run("dpkg", ["-x", join(archives, archive), engineRoot], archives);
      if (unpack.code !== 0) return lastLine(unpack);
    }
    return undefined;
  } catch (error) {
    // No apt on this machine, for instance.
    return error instanceof Error ? error.message : String(error);
  } finally {
    rmSync(archives, { recursive: true, force: true });
  }
}

/** Options under which apt knows the packages: the system's lists, or lists of our own. */
async function packageLists(packages: readonly string[]): Promise<readonly string[] | string> {
  // The sandbox user of apt cannot write into a folder of ours.
  const plain = ["-q", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true"];
  const known = await run("apt-get", [...plain, "download", "--print-uris", ...packages]);
  if (known.code === 0) return plain;
  const state = join(engineRoot, "..", "apt");
  for (const folder of ["lists/partial", "cache/archives/partial"]) {
    mkdirSync(join(state, folder), { recursive: true });
  }
  const own = [
    ...plain,
    ...["-o", `Dir::State::lists=${join(state, "lists")}`],
    ...["-o", `Dir::Cache=${join(state, "cache")}`],
  ];
  const update = await run("apt-get", [...own, "update"]);
  return update.code === 0 ? own : lastLine(update);
}

/** The packages and everything they need that this machine does not have. */
async function closure(apt: readonly string[], packages: readonly string[]): Promise<string[]> {
  const plan = await run("apt-get", [
    ...apt,
    "--simulate",
    "--no-install-recommends",
    "install",
    ...packages,
  ]);
  const needed = [...plan.stdout.matchAll(/^Inst (\S+) /gm)].map((match) => match[1] as string);
  return [...new Set([...packages, ...needed])];
}

function run(command: string, args: readonly string[], cwd?: string): Promise<CommandResult> {
  const env = { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  return runCommand(command, args, {
    budgetMs: fetchBudgetMs,
    env,
    ...(cwd === undefined ? {} : { cwd }),
  });
}

function lastLine({ output }: CommandResult): string {
  const lines = output.trim().split("\n");
  return lines.findLast((line) => /^(E:|dpkg|ended)/.test(line)) ?? lines.at(-1) ?? "no output";
}
