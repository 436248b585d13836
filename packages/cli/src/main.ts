import { Command, InvalidArgumentError } from "commander";
import { errorText, isTenfoldError } from "tenfold/runtime";

import { controlCommands } from "./commands/control.ts";
import { coordinatorCommand } from "./commands/coordinator.ts";
import { coordinatorCommands } from "./commands/coordinator-commands.ts";
import { ringCommand } from "./commands/ring.ts";
import { settingsCommand } from "./commands/settings-command.ts";
import type { UpOptions } from "./commands/up.ts";
import { version } from "./version.ts";

/**
 * The `tenfold` program. A command is loaded when it is called: a process of a fleet that was
 * killed is back the sooner, the less it loads. Exit codes: 0 done, 1 failed (one coded line on
 * standard error).
 */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("tenfold")
    .description("Runs a fleet on one machine or several, or one process of it.")
    .version(version);
  program
    .command("up")
    .description("start a fleet, or one host's share of it, and keep it running until Ctrl-C")
    .argument("<fleet-file>", "the file that exports defineFleet(…) as default")
    .option("--host <name>", "which host of the fleet file this machine is, when it has several")
    .option("--coordinator <url>", "an etcd that runs: etcd://HOST:PORT,HOST:PORT")
    .option(
      "--join <secret>",
      "the fleet's token, as file:PATH or env:NAME (default $TENFOLD_JOIN)",
    )
    .option("--data <dir>", "the fleet's data folder (default .tenfold/NAME)")
    .option("--ports <from>", "move the fleet to 1,000 ports from this one", portNumber)
    .option("--fresh", "start with empty data")
    .option("--json", "one JSON line an event")
    .action(async (file: string, options: UpOptions) => {
      await (await import("./commands/up.ts")).up(file, options);
    });
  program
    .command("run")
    .description("run one service of a fleet, configured by environment variables")
    .argument("<service>", "a service of the fleet file, or gateway, console, coordinator, queue-…")
    .option("--fleet <file>", "the fleet file", process.env.TENFOLD_FLEET_FILE ?? "fleet.ts")
    .action(async (name: string, options: { fleet: string }) => {
      await (await import("./commands/run.ts")).run(name, options);
    });
  for (const command of controlCommands()) program.addCommand(command);
  for (const command of coordinatorCommands()) program.addCommand(command);
  program.addCommand(settingsCommand());
  program.addCommand(coordinatorCommand());
  program.addCommand(ringCommand());
  try {
    await program.parseAsync(argv as string[]);
  } catch (error) {
    const code = isTenfoldError(error) ? error.code : "TENFOLD_INTERNAL";
    const detail = code === "TENFOLD_INTERNAL" && error instanceof Error ? error.stack : undefined;
    process.stderr.write(`tenfold: ${code}: ${detail ?? errorText(error)}\n`);
    process.exitCode = 1;
  }
}

function portNumber(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1_024 && port <= 64_000) return port;
  throw new InvalidArgumentError("It must be a port from 1024 to 64000.");
}
