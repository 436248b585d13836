import { Command } from "commander";
import type { FleetEvent, FleetStatus } from "tenfold/fleet";

import { print } from "../print.ts";
import { askSupervisor, findRunningFleet } from "../running-fleet.ts";
import { eventLine, statusTable } from "../terminal.ts";

interface ControlOptions {
  readonly data?: string;
  readonly json?: boolean;
}

/** The commands that talk to a running fleet's supervisor. */
export function controlCommands(): Command[] {
  return [
    control("status", "show what runs").action(async (options: ControlOptions) => {
      const fleet = findRunningFleet(options.data);
      const status = await askSupervisor<FleetStatus>(fleet, "GET", "/v1/state");
      print(options, status, () => statusTable(status));
    }),
    control("events", "show what happened, newest last")
      .option("--follow", "go on until Ctrl-C")
      .action(showEvents),
    control("kill", "send a signal to one process, SIGKILL by default; the fleet must not notice")
      .argument("<instance>", "its name, as `npx tenfold status` shows it")
      .option("--signal <name>", "SIGKILL, SIGTERM, SIGSTOP or SIGCONT", "SIGKILL")
      .action(async (instance: string, options: ControlOptions & { signal: string }) => {
        const fleet = findRunningFleet(options.data);
        const { signal } = options;
        const done = await askSupervisor(fleet, "POST", "/v1/kill", { instance, signal });
        print(options, done, () => `${signal} sent to ${instance}.`);
      }),
    control("restart", "restart a service instance by instance, or one instance, without loss")
      .argument("<name>", "a service or an instance")
      .action(async (name: string, options: ControlOptions) => {
        const fleet = findRunningFleet(options.data);
        const done = await askSupervisor<{ restarted: string[] }>(fleet, "POST", "/v1/restart", {
          name,
        });
        print(options, done, () => `Restarted ${done.restarted.join(", ")}.`);
      }),
    control("down", "stop this host's share of the fleet as Ctrl-C does").action(
      async (options: ControlOptions) => {
        const fleet = findRunningFleet(options.data);
        const done = await askSupervisor(fleet, "POST", "/v1/stop");
        print(options, done, () => "The fleet is stopping.");
      },
    ),
  ];
}

async function showEvents(options: ControlOptions & { follow?: boolean }): Promise<void> {
  const fleet = findRunningFleet(options.data);
  let after = 0;
  do {
    const path = `/v1/events?after=${after}&waitMs=${after === 0 ? 0 : 20_000}`;
    const { events } = await askSupervisor<{ events: FleetEvent[] }>(fleet, "GET", path);
    for (const event of events) print(options, event, () => eventLine(event));
    after = events.at(-1)?.sequence ?? Math.max(after, 1);
  } while (options.follow);
}

function control(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option("--data <dir>", "the fleet's data folder, when several run here")
    .option("--json", "print JSON");
}
