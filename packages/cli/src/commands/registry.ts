import { registryService, runService } from "tenfold/fleet";
import { TenfoldError } from "tenfold/runtime";

import { accessOf, type CoordinatorOptions } from "../coordinator-access.ts";
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
  const [, address, port] = /^(.+):(\d{1,5})$/.exec(options.listen) ?? [];
  if (address === undefined || port === undefined) {
    const message = `--listen must read like 127.0.0.1:8085, got "${options.listen}".`;
    throw new TenfoldError("TENFOLD_OPTION_INVALID", message);
  }
  const { fleet, coordinator, access } = whose(options);
  const { token, ...ofCoordinator } = access;
  const running = await runService(registryService, {
    TENFOLD_VERSION: version,
    ...process.env,
    ...(fleet !== undefined && { TENFOLD_FLEET: fleet }),
    TENFOLD_ADDRESS: address.replace(/^\[|\]$/g, ""),
    TENFOLD_PORT: port,
    TENFOLD_COORDINATOR: coordinator,
    ...(token !== undefined && { TENFOLD_TOKEN: token }),
    ...(access.user !== undefined && {
      TENFOLD_COORDINATOR_ACCESS: JSON.stringify(ofCoordinator),
    }),
  });
  await running.done;
}

function whose(options: RegistryOptions) {
  const { coordinator, fleet } = options;
  if (coordinator !== undefined) return { coordinator, fleet, access: accessOf(options) };
  return findRunningFleet(options.data);
}
