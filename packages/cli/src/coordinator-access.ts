import type { Coordinator } from "tenfold/coordination";
import { connectEtcd } from "tenfold/engines/etcd";
import { type FleetStatus, resolveSecret } from "tenfold/fleet";
import { errorText, TenfoldError } from "tenfold/runtime";

import type { PrintOptions } from "./print.ts";
import { askSupervisor, findRunningFleet } from "./running-fleet.ts";

/** How a command finds a coordinator: by its URL, or as that of a fleet that runs here. */
export interface CoordinatorOptions extends PrintOptions {
  readonly coordinator?: string;
  readonly token?: string;
  readonly user?: string;
  readonly password?: string;
  readonly fleet?: string;
  readonly data?: string;
}

/** A coordinator to work with, and whose it is. */
export interface OpenCoordinator {
  readonly coordinator: Coordinator;
  /** Undefined: nobody said which fleet is meant. */
  readonly fleet: string | undefined;
}

/**
 * Runs `work` with a coordinator and closes it after.
 * @throws TENFOLD_FLEET_NOT_RUNNING, TENFOLD_COORDINATION_ENDPOINT_INVALID, and what `work` throws
 */
export async function useCoordinator(
  options: CoordinatorOptions,
  work: (open: OpenCoordinator) => Promise<void>,
): Promise<void> {
  const open = await openCoordinator(options);
  try {
    await work(open);
  } finally {
    await open.coordinator.close();
  }
}

async function openCoordinator(options: CoordinatorOptions): Promise<OpenCoordinator> {
  const { coordinator: endpoints, token, user, password, fleet } = options;
  if (endpoints === undefined) return await coordinatorOfRunning(options);
  const secret = async (reference: string | undefined) =>
    reference === undefined ? undefined : await resolveSecret(reference);
  const coordinator = connectEtcd({
    endpoints,
    token: await secret(token),
    user,
    password: await secret(password),
  });
  return { coordinator, fleet };
}

async function coordinatorOfRunning(options: CoordinatorOptions): Promise<OpenCoordinator> {
  const running = findRunningFleet(options.data);
  const status = await askSupervisor<FleetStatus>(running, "GET", "/v1/state");
  const own = status.instances.find(({ kind }) => kind === "coordinator");
  if (own === undefined) {
    throw new TenfoldError(
      "TENFOLD_FLEET_NOT_RUNNING",
      `The fleet ${status.fleet} runs no coordinator of its own: name it with --coordinator.`,
    );
  }
  const endpoints = `etcd://${own.address}:${own.port}`;
  const coordinator = connectEtcd({ endpoints, token: running.token });
  return { coordinator, fleet: options.fleet ?? status.fleet };
}

/** @throws TENFOLD_OPTION_INVALID when nobody said which fleet is meant */
export function knownFleet({ fleet }: OpenCoordinator): string {
  if (fleet !== undefined) return fleet;
  throw new TenfoldError(
    "TENFOLD_OPTION_INVALID",
    "Say which fleet is meant: --fleet NAME. A coordinator may hold the maps of several.",
  );
}

/** Aborts with Ctrl-C, SIGTERM, or the end of whoever reads our output. */
export function untilInterrupted(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => stop.abort());
  }
  process.stdout.on("error", (error) => stop.abort(errorText(error)));
  return stop.signal;
}
