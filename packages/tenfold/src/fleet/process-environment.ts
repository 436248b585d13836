import { join } from "node:path";

import { logLevels } from "../runtime/log.ts";
import { accessVariables } from "./coordinator-access.ts";
import type { FleetPlan, ProcessPlan } from "./fleet-plan.ts";
import { formatInstanceEnvironment } from "./instance-environment.ts";

/**
 * What a child gets of the supervisor's own environment, besides the variables by which it is to
 * show itself to the coordinator; nothing else leaks into it.
 */
const inherited = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "NODE_EXTRA_CA_CERTS"];

/** The environment of one process of a plan: all that it is told, with secrets as references. */
export function processEnvironment(
  plan: FleetPlan,
  own: ProcessPlan,
  version: string,
  parent: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const names = [...inherited, ...accessVariables(plan.coordinatorAccess ?? {})];
  const kept = names.flatMap((name) => {
    const value = parent[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(kept),
    NODE_COMPILE_CACHE: join(plan.dataFolder, "compile-cache"),
    ...formatInstanceEnvironment({
      instance: {
        fleet: plan.fleet,
        service: own.service,
        name: own.name,
        host: plan.host,
        zone: plan.zone,
        address: plan.address,
        port: own.port,
        adminPort: own.adminPort,
        dataFolder: join(plan.dataFolder, own.name),
        version,
      },
      ...fleetSecrets(plan, own.stores),
      coordinator: plan.coordinator,
      coordinatorAccess: plan.coordinatorAccess,
      settings: own.settings,
      logLevel: logLevels.find((level) => level === parent.TENFOLD_LOG_LEVEL) ?? "info",
    }),
  };
}

/** Where a fleet's supervisor keeps the token and the stores' connections, as references. */
export function fleetSecrets(
  plan: Pick<FleetPlan, "dataFolder">,
  stores: readonly string[],
): { readonly token: string; readonly stores: Readonly<Record<string, string>> } {
  const file = (name: string): string => `file:${join(plan.dataFolder, name)}`;
  return {
    token: file("token"),
    stores: Object.fromEntries(stores.map((name) => [name, file(`store-${name}.json`)])),
  };
}
