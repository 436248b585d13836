import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import {
  absoluteAccess,
  createSupervisor,
  type FleetPlan,
  joinToken,
  planFleet,
  type Supervisor,
} from "tenfold/fleet";
import { TenfoldError } from "tenfold/runtime";

import { loadFleetFile } from "../fleet-file.ts";
import { defaultDataFolder } from "../running-fleet.ts";
import { eventLine, stepLine, welcome } from "../terminal.ts";
import { version } from "../version.ts";

export interface UpOptions {
  readonly data?: string;
  readonly host?: string;
  readonly coordinator?: string;
  readonly join?: string;
  readonly ports?: number;
  readonly fresh?: boolean;
  readonly json?: boolean;
}

/** `tenfold up`: starts a host's share of a fleet, tells what happens, and stops it on Ctrl-C. */
export async function up(file: string, options: UpOptions): Promise<void> {
  const { definition, path, notice } = await loadFleetFile(file);
  const { host, coordinator, ports: portsFrom } = options;
  const planned = planFleet(definition, {
    dataFolder: resolve(options.data ?? defaultDataFolder(definition, host)),
    ...(host === undefined ? {} : { host }),
    ...(coordinator === undefined ? {} : { coordinator }),
    ...(portsFrom === undefined ? {} : { portsFrom }),
  });
  const { coordinatorAccess: access } = planned;
  const plan = { ...planned, coordinatorAccess: access && absoluteAccess(access, process.cwd()) };
  if (host === undefined && plan.hosts.length > 1) throw hostNeeded(plan);
  const token = await joinToken(options.join, process.env.TENFOLD_JOIN);
  const say = teller(options.json ?? false);
  if (notice !== undefined) {
    say({ event: "notice", notice }, `${notice}: its sources run, which need more memory.`);
  }
  const share = plan.hosts.length > 1 ? `, host ${plan.host}` : "";
  say({ event: "starting", fleet: plan.fleet }, `Starting fleet ${plan.fleet}${share} …`);
  let isUp = false;
  const supervisor = await createSupervisor({
    plan,
    fleetFile: path,
    program: {
      command: process.execPath,
      args: [fileURLToPath(new URL("../../bin/tenfold.js", import.meta.url))],
    },
    resolveFrom: import.meta.url,
    version,
    fresh: options.fresh ?? false,
    ...(token === undefined ? {} : { join: token }),
    onStep: (step) => say({ event: "step", ...step }, stepLine(step)),
    onEvent: (event) => {
      if (isUp || event.unexpected) say({ event: "change", ...event }, eventLine(event));
    },
  });
  const stop = stopOnRequest(supervisor, say);
  try {
    await supervisor.start(stop.signal);
    isUp = true;
    const token = readFileSync(join(plan.dataFolder, "token"), "utf8").trim();
    say(ready(plan), welcome(plan, token));
    await stop.asked;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    await supervisor.stop();
    say({ event: "stopped" }, "Stopped.");
    stop.forget();
  }
}

function hostNeeded({ fleet, hosts }: FleetPlan): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_HOST_NEEDED",
    `The fleet ${fleet} has several hosts: say which this machine is, by --host ` +
      `${hosts.map(({ name }) => name).join(" or ")}.`,
  );
}

type Say = (event: object, text: string) => void;

function teller(json: boolean): Say {
  // Whoever read along may be gone, as with `| head`: that is no reason to drop the fleet.
  process.stdout.on("error", () => {});
  return (event, text) => process.stdout.write(`${json ? JSON.stringify(event) : text}\n`);
}

/** What a script that started the fleet wants to know. */
function ready(plan: FleetPlan): object {
  const url = (kind: string): string | undefined => {
    const process = plan.processes.find((each) => each.kind === kind);
    return process && `http://${plan.address}:${process.port}`;
  };
  return {
    event: "ready",
    host: plan.host,
    gateway: url("gateway"),
    console: url("console"),
    coordinator: plan.coordinator,
    coordinatorAccess: plan.coordinatorAccess,
    admin: `http://${plan.address}:${plan.adminPort}`,
    tokenFile: join(plan.dataFolder, "token"),
    data: plan.dataFolder,
    pid: process.pid,
  };
}

/** Ctrl-C, SIGTERM, the admin API, or the end of the program that started us. Twice: at once. */
function stopOnRequest(supervisor: Supervisor, say: Say) {
  const controller = new AbortController();
  const asked = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(1);
    say({ event: "stopping" }, "\nStopping: draining requests; again to stop at once.");
    controller.abort();
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, stop);
  process.once("disconnect", stop);
  void supervisor.stopAsked.then(stop);
  const forget = (): void => {
    for (const signal of signals) process.off(signal, stop);
    process.off("disconnect", stop);
    if (process.connected) process.disconnect();
  };
  return { signal: controller.signal, asked, forget };
}
