import { readFileSync } from "node:fs";
import { Command } from "commander";
import { type HashPolicy, hashPolicy, keyMovement, sampleKeys } from "tenfold/hashing";
import { errorReason, numberOption, TenfoldError } from "tenfold/runtime";

import { movementText } from "../movement-text.ts";

interface DiffOptions {
  readonly keys: string;
  readonly json?: boolean;
}

/** `tenfold ring diff A.json B.json`: nothing runs for it, nothing is asked or changed. */
export function ringCommand(): Command {
  const diff = new Command("diff")
    .description("tell which share of keys a change of nodes, weights or policy moves")
    .argument("<before>", 'a file such as {"policy":"ring","nodes":[{"nickname":"a","weight":2}]}')
    .argument("<after>", "the same after the change")
    .option("--keys <count>", "how many keys to ask about", "1000000")
    .option("--json", "print JSON")
    .action(printDiff);
  return new Command("ring")
    .description("look into consistent hashing, ketama and the like")
    .addCommand(diff);
}

function printDiff(beforeFile: string, afterFile: string, options: DiffOptions): void {
  const keys = numberOption("--keys", Number(options.keys), { min: 1_000, max: 100_000_000 });
  const [before, after] = [readPolicy(beforeFile), readPolicy(afterFile)];
  const movement = keyMovement(before, after, sampleKeys(keys));
  const text =
    options.json === true
      ? JSON.stringify({ before: before.name, after: after.name, ...movement })
      : movementText(describe(before), describe(after), movement);
  process.stdout.write(`${text}\n`);
}

function describe({ name, weights }: HashPolicy): string {
  return `${name} of ${weights.size} ${weights.size === 1 ? "node" : "nodes"}`;
}

function readPolicy(file: string): HashPolicy {
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new TenfoldError(
      "TENFOLD_HASHING_CONFIG_INVALID",
      `${file} cannot be read as JSON: ${errorReason(cause)}`,
      { cause },
    );
  }
  try {
    return hashPolicy(config);
  } catch (cause) {
    if (!(cause instanceof TenfoldError)) throw cause;
    throw new TenfoldError(cause.code, `${file}: ${cause.message}`, { cause });
  }
}
