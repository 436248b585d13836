import type { Coordinator } from "tenfold/coordination";
import {
  type CoordinatorAccess,
  checkCoordinatorAccess,
  connectFleetCoordinator,
} from "tenfold/fleet";
import { errorText, systemRuntime, TenfoldError } from "tenfold/runtime";

import type { PrintOptions } from "./print.ts";
import { findRunningFleet } from "./running-fleet.ts";

/** How a command finds a coordinator: by its URL, or as that of a fleet that runs here. */
export interface CoordinatorOptions extends PrintOptions, CoordinatorAccess {
  readonly coordinator?: string;
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
  const { coordinator: endpoints, fleet } = options;
  if (endpoints === undefined) {
    const running = findRunningFleet(options.data);
    const { coordinator, access } = running;
    const connected = await connectFleetCoordinator(coordinator, access, systemRuntime);
    return { coordinator: connected, fleet: fleet ?? running.fleet };
  }
  const access = accessOf(options);
  const coordinator = await connectFleetCoordinator(endpoints, access, systemRuntime);
  return { coordinator, fleet };
}

/** @throws TENFOLD_OPTION_INVALID for a literal in place of a secret reference */
export function accessOf(options: CoordinatorOptions): CoordinatorAccess {
  const given = names.flatMap((name) => {
    const value = options[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const access: CoordinatorAccess = Object.fromEntries(given);
  checkCoordinatorAccess(access);
  return access;
}

const names = ["token", "user", "password", "ca", "certificate", "key"] as const;

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
