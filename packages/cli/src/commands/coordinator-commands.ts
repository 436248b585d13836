import { Command } from "commander";

import type { CoordinatorOptions } from "../coordinator-access.ts";
import type { HoldOptions } from "./hold.ts";
import type { GetOptions, WriteOptions } from "./keys.ts";
import type { MembersOptions } from "./members.ts";
import type { RegistryOptions } from "./registry.ts";

/** The commands that work with a coordinator: any by its URL, or that of a running fleet. */
export function coordinatorCommands(): Command[] {
  return [
    ...keyCommands(),
    membersCommand(),
    holdCommand("lock"),
    holdCommand("elect"),
    registryCommand(),
  ];
}

function keyCommands(): Command[] {
  return [
    command("get", "print the value of a key; exit code 3 when it is not there")
      .argument("<key>")
      .option("--prefix", "all keys that begin with it, with their values")
      .action(async (key: string, options: GetOptions) => (await keys()).get(key, options)),
    command("put", "write a key; exit code 3 when its condition does not hold, 4 when unsure")
      .argument("<key>")
      .argument("<value>")
      .option("--if-revision <number>", "only if the key was last written at this revision")
      .option("--if-absent", "only if the key is not there")
      .option("--force", "also where a fleet keeps its own maps")
      .action(async (key: string, value: string, options: WriteOptions) =>
        (await keys()).put(key, value, options),
      ),
    command("delete", "remove a key; exit code 3 when it is not there or was written since")
      .argument("<key>")
      .option("--if-revision <number>", "only if the key was last written at this revision")
      .option("--force", "also where a fleet keeps its own maps")
      .action(async (key: string, options: WriteOptions) => (await keys()).remove(key, options)),
    command("watch", "print what is under a prefix, then every change, until Ctrl-C")
      .argument("<prefix>")
      .action(async (prefix: string, options: CoordinatorOptions) =>
        (await keys()).watch(prefix, options),
      ),
  ];
}

function membersCommand(): Command {
  return command("members", "list the instances that are registered, of one service or all")
    .argument("[service]")
    .option("--watch", "go on with every change until Ctrl-C")
    .action(async (service: string | undefined, options: MembersOptions) =>
      (await import("./members.ts")).members(service, options),
    );
}

function holdCommand(kind: "lock" | "elect"): Command {
  const [what, whose] =
    kind === "lock" ? ["under a lock", "it is held"] : ["as leader of an election", "it leads"];
  return command(
    kind,
    `wait, then run a command ${what}, and kill it when ${whose} no more. It finds the term's ` +
      "fencing token in TENFOLD_FENCING_TOKEN. Exit code: the command's; 75 when it was killed " +
      "because the hold was lost, 124 when its turn did not come in time",
  )
    .argument("<name>")
    .argument("<command...>", "after --")
    .option("--ttl-ms <number>", "how long a dead holder keeps the others waiting", "6000")
    .option("--wait-ms <number>", "give up after so long; 0 does not wait; default: wait for ever")
    .option("--value <text>", "who waits or holds, for people; default host and pid")
    .action(async (name: string, argv: string[], options: HoldOptions) =>
      (await import("./hold.ts")).hold(kind, name, argv, options),
    );
}

function registryCommand(): Command {
  return command("registry", "serve discovery over REST, for services in any language")
    .option("--listen <host:port>", "where", "127.0.0.1:8085")
    .action(async (options: RegistryOptions) => (await import("./registry.ts")).registry(options));
}

const keys = () => import("./keys.ts");

/** A command with the options that say which coordinator is meant. */
export function command(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option(
      "--coordinator <url>",
      "etcd://HOST:PORT,HOST:PORT, with https for TLS; default: the running fleet's",
    )
    .option("--token <secret>", "its token, as file:PATH or env:NAME")
    .option("--user <name>", "for etcd's own authentication")
    .option("--password <secret>", "as file:PATH or env:NAME")
    .option("--ca <secret>", "whom to trust over https, PEM, as file:PATH or env:NAME")
    .option("--certificate <secret>", "to show over https, PEM, as file:PATH or env:NAME")
    .option("--key <secret>", "of the certificate, PEM, as file:PATH or env:NAME")
    .option("--fleet <name>", "whose keys are meant; default: the running fleet's")
    .option("--data <dir>", "the fleet's data folder, when several run here")
    .option("--json", "print JSON");
}
