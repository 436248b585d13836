import { join } from "node:path";
import { styleText } from "node:util";

import type { BootStep, FleetEvent, FleetPlan, FleetStatus, HostStatus } from "tenfold/fleet";

type Style = Parameters<typeof styleText>[0];

const stateStyles: Readonly<Record<string, Style>> = {
  ready: "green",
  starting: "yellow",
  backoff: "yellow",
  stopping: "dim",
  stopped: "dim",
  failed: "red",
  away: "red",
  unreachable: "red",
  up: "green",
};

export function stepLine({ title, atMs }: BootStep): string {
  const at = `${(atMs / 1_000).toFixed(1)} s`.padStart(7);
  return `${styleText("dim", at)}  ${styleText("green", "✔")} ${title}`;
}

export function eventLine(event: FleetEvent): string {
  const time = new Date(event.timeMs).toTimeString().slice(0, 8);
  const style = event.unexpected ? "red" : (stateStyles[event.kind] ?? "cyan");
  const instance = styleText(style, event.instance.padEnd(14));
  return `${styleText("dim", time)}  ${instance} ${event.message}`;
}

export function statusTable({ fleet, hosts, instances }: FleetStatus): string {
  const severalHosts = hosts.length > 1;
  const rows = instances.map(({ name, state, host, pid, address, port, restarts, lastExit }) => [
    name,
    state,
    ...(severalHosts ? [host] : []),
    String(pid ?? "-"),
    `${address}:${port}`,
    String(restarts),
    restarts > 0 ? (lastExit ?? "") : "",
  ]);
  const hostColumn = severalHosts ? ["host"] : [];
  const head = ["instance", "state", ...hostColumn, "pid", "address", "restarts", "last end"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  const body = rows.map((row) => {
    const text = line(row);
    return text.replace(/ (\w+)/, (all, state) => all.replace(state, coloured(state)));
  });
  return [
    `fleet ${fleet} on ${hosts.map(hostText).join(", ")}`,
    styleText("dim", line(head)),
    ...body,
  ].join("\n");
}

function hostText({ name, zone, state }: HostStatus): string {
  return `host ${name} (${zone}): ${coloured(state)}`;
}

function coloured(state: string): string {
  return styleText(stateStyles[state] ?? "reset", state);
}

/** What to tell a person once the fleet is up: the addresses, and what to try. */
export function welcome(plan: FleetPlan, token: string): string {
  const { address, hints } = plan;
  const port = (kind: string) => plan.processes.find((each) => each.kind === kind)?.port;
  const joining =
    plan.hosts.length > 1
      ? [`  token     ${join(plan.dataFolder, "token")}, for --join on the other hosts`]
      : [];
  const [gateway, console] = [port("gateway"), port("console")];
  const bold = (text: string) => styleText("bold", text);
  return [
    "",
    ...(gateway ? [`  gateway   ${bold(`http://${address}:${gateway}`)}`] : []),
    ...(console ? [`  console   ${bold(`http://${address}:${console}/?token=${token}`)}`] : []),
    ...joining,
    "",
    ...hints.map((hint) => `  ${hint}`),
    "  npx tenfold status            # what runs",
    "  npx tenfold kill INSTANCE     # shoot something and watch the console",
    "  npx tenfold restart SERVICE   # a rolling restart",
    "  Ctrl-C                        # drain and stop",
    "",
  ].join("\n");
}
