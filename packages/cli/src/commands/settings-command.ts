import { Command } from "commander";

import type { CoordinatorOptions } from "../coordinator-access.ts";
import { command } from "./coordinator-commands.ts";
import type { ChangeOptions } from "./settings.ts";

/** `tenfold settings …`: of a running fleet, or of any coordinator. */
export function settingsCommand(): Command {
  const settings = () => import("./settings.ts");
  const changing = (name: string, description: string): Command =>
    command(name, description)
      .option("--by <who>", "default: the user and the host")
      .option("--why <reason>", "for whoever reads the history")
      .option("--if-change <number>", "only if this is still the last change");
  const commands = [
    command("list", "what may be set, what it is, and who changed it").action(
      async (options: CoordinatorOptions) => (await settings()).list(options),
    ),
    command("get", "print the value of a setting")
      .argument("<name>")
      .action(async (name: string, options: CoordinatorOptions) =>
        (await settings()).get(name, options),
      ),
    changing("set", "change a setting in every process at once")
      .argument("<name>")
      .argument("<value>")
      .action(async (name: string, value: string, options: ChangeOptions) =>
        (await settings()).set(name, value, options),
      ),
    changing("undo", "set again what stood before the last change")
      .argument("<name>")
      .action(async (name: string, options: ChangeOptions) =>
        (await settings()).undo(name, options),
      ),
    changing("reset", "go back to the default")
      .argument("<name>")
      .action(async (name: string, options: ChangeOptions) =>
        (await settings()).reset(name, options),
      ),
    command("history", "who changed a setting, when and why, newest first")
      .argument("<name>")
      .action(async (name: string, options: CoordinatorOptions) =>
        (await settings()).history(name, options),
      ),
  ];
  const all = new Command("settings").description("settings that change while processes run");
  for (const one of commands) all.addCommand(one);
  return all;
}
