import { Command } from "commander";

import type { BackupOptions, RestoreCommandOptions } from "./coordinator-backup.ts";
import type { ServeOptions } from "./coordinator-serve.ts";

/** `tenfold coordinator`: the embedded coordinator alone, and what its operators need. */
export function coordinatorCommand(): Command {
  const serve = new Command("coordinator")
    .description("run the embedded coordinator alone: one durable node that speaks etcd's v3 API")
    .option("--listen <address>", "where it listens", "127.0.0.1:2379")
    .option("--data <dir>", "its data folder", "coordinator-data")
    .option("--name <name>", "whose data it is: a folder of another name is refused")
    .option("--token <secret>", "what callers must show, as file:PATH or env:NAME")
    .option("--users <file>", "who else may call: lines that `coordinator user NAME` prints")
    .option("--cert <file>", "certificate for TLS, PEM; needed off loopback")
    .option("--key <file>", "its key, PEM")
    .option("--json", "print JSON")
    .action(async (options: ServeOptions) =>
      (await import("./coordinator-serve.ts")).serveCoordinator(options),
    );
  return serve
    .addCommand(userCommand())
    .addCommand(
      client("snapshot", "save all that a coordinator holds into a file, while it serves")
        .argument("<file>", "made anew; the embedded node's for `restore`, etcd's for etcdctl")
        .action(async (file: string, _options: unknown, command: Command) =>
          (await backup()).takeSnapshot(file, allOptions(command)),
        ),
    )
    .addCommand(
      new Command("restore")
        .description("make a data folder from a snapshot, in a later generation")
        .argument("<file>", "what `coordinator snapshot` or `etcdctl snapshot save` wrote")
        .option("--data <dir>", "an empty folder, or one that is not there yet")
        .option("--json", "print JSON")
        .action(async (file: string, _options: unknown, command: Command) =>
          (await backup()).restore(file, allOptions(command)),
        ),
    )
    .addCommand(
      client("adopt", "accept an etcd into which an older backup was restored").action(
        async (_options: unknown, command: Command) => (await backup()).adopt(allOptions(command)),
      ),
    );
}

function userCommand(): Command {
  return new Command("user")
    .description("print the line of a users file for the password on standard input")
    .argument("<name>")
    .action(async (name: string) => (await import("./coordinator-serve.ts")).printUser(name));
}

function client(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option("--url <url>", "etcd://HOST:PORT,HOST:PORT", "http://127.0.0.1:2379")
    .option("--token <secret>", "its token, as file:PATH or env:NAME")
    .option("--user <name>", "who asks")
    .option("--password <secret>", "as file:PATH or env:NAME")
    .option("--cacert <file>", "whom to trust at an https URL, PEM; default: whom Node trusts")
    .option("--json", "print JSON");
}

const backup = () => import("./coordinator-backup.ts");

/** An option that the command above has, too, is given to that one. */
function allOptions<Options extends BackupOptions & RestoreCommandOptions>(
  command: Command,
): Options {
  const given = command.parent?.opts() ?? {};
  const isGiven = (name: string) => command.parent?.getOptionValueSource(name) === "cli";
  const above = Object.fromEntries(Object.entries(given).filter(([name]) => isGiven(name)));
  return { ...above, ...command.opts() } as Options;
}
