import { BlockList, isIPv6 } from "node:net";
import { join } from "node:path";

import { registryService, runService } from "tenfold/fleet";
import { TenfoldError } from "tenfold/runtime";

import { accessOf, type CoordinatorOptions } from "../coordinator-access.ts";
import { print } from "../print.ts";
import { findRunningFleet } from "../running-fleet.ts";
import { version } from "../version.ts";

export interface RegistryOptions extends CoordinatorOptions {
  readonly listen: string;
}

/**
 * `tenfold registry`: the REST registry as a process of its own, of a fleet that runs here or, with
 * `--coordinator`, of any. Callers show the token; without one it makes one in its data folder.
 */
export async function registry(options: RegistryOptions): Promise<void> {
  const variables = registryVariables(options);
  const running = await runService(registryService, {
    TENFOLD_VERSION: version,
    // A token that it makes is for its callers: no coordinator knows it, and etcd refuses it.
    ...(process.env.TENFOLD_TOKEN === undefined && { TENFOLD_COORDINATOR_ACCESS: "{}" }),
    ...process.env,
    ...variables,
  });
  const { address, port } = running.instance;
  const url = `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
  if (options.json) print(options, { event: "ready", registry: url }, () => url);
  await running.done;
}

/**
 * What the registry's process is told.
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_FLEET_NOT_RUNNING
 */
export function registryVariables(options: RegistryOptions): Record<string, string> {
  const [, address, port] = /^(.+):(\d{1,5})$/.exec(options.listen) ?? [];
  if (address === undefined || port === undefined) throw noListen("like 127.0.0.1:8085", options);
  const host = address.replace(/^\[|\]$/g, "");
  if (unspecified.check(host, isIPv6(host) ? "ipv6" : "ipv4")) {
    throw noListen("an address of this machine, which others are told", options);
  }
  const { fleet, coordinator, access, token } = whose(options);
  return {
    ...(fleet !== undefined && { TENFOLD_FLEET: fleet }),
    TENFOLD_ADDRESS: host,
    TENFOLD_PORT: port,
    TENFOLD_COORDINATOR: coordinator,
    ...(token !== undefined && { TENFOLD_TOKEN: token }),
    ...(access !== undefined && { TENFOLD_COORDINATOR_ACCESS: JSON.stringify(access) }),
  };
}

/** The coordinator, what it asks for, and the token that callers show. */
function whose(options: RegistryOptions) {
  const { coordinator, fleet } = options;
  if (coordinator !== undefined) {
    const access = accessOf(options);
    const isEmpty = Object.keys(access).length === 0;
    // Then what the environment says counts.
    return { coordinator, fleet, access: isEmpty ? undefined : access, token: access.token };
  }
  const running = findRunningFleet(options.data);
  const token = `file:${join(running.folder, "token")}`;
  return { ...running, fleet: fleet ?? running.fleet, token };
}

const unspecified = new BlockList();
unspecified.addAddress("0.0.0.0", "ipv4");
unspecified.addAddress("::", "ipv6");

function noListen(expected: string, { listen }: RegistryOptions): TenfoldError {
  const message = `--listen must be ${expected}, got "${listen}".`;
  return new TenfoldError("TENFOLD_OPTION_INVALID", message);
}
