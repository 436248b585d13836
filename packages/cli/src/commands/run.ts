import { existsSync } from "node:fs";
import { join } from "node:path";

import {
  coordinatorService,
  type FleetDefinition,
  type FleetPlan,
  fleetSecrets,
  gatewayService,
  type ProcessPlan,
  planFleet,
  queueService,
  registryService,
  runService,
  type Service,
} from "tenfold/fleet";
import { TenfoldError } from "tenfold/runtime";

import { importService, loadFleetFile } from "../fleet-file.ts";
import { defaultDataFolder, type RunningFleet, runningFleetIn } from "../running-fleet.ts";
import { version } from "../version.ts";

/**
 * `tenfold run SERVICE`: one process, as the supervisor starts it. What the environment does not
 * say comes from the fleet file, so that a service started by hand joins the fleet of its folder.
 */
export async function run(name: string, options: { readonly fleet: string }): Promise<void> {
  const { definition, path } = await loadFleetFile(options.fleet);
  const environment = given();
  const { TENFOLD_HOST: host, TENFOLD_COORDINATOR: named } = environment;
  const dataFolder = defaultDataFolder(definition, host);
  // Who is told where the coordinator is need not look who runs here.
  const beside = named === undefined ? runningFleetIn(dataFolder) : undefined;
  const coordinator = named ?? beside?.coordinator;
  const plan = planFleet(definition, {
    dataFolder,
    // A fleet of several hosts has no coordinator of its own, and names its hosts.
    ...(Object.keys(definition.hosts ?? {}).length > 1 && {
      ...(host === undefined ? {} : { host }),
      ...(coordinator === undefined ? {} : { coordinator }),
    }),
  });
  const own = plan.fleetProcesses.find(({ service }) => service === name);
  if (own === undefined) throw unknownService(name, plan);
  const service = { ...(await moduleOf(own, definition, path)), name };
  const running = await runService(service, {
    ...fromFleetFile(definition, plan, own, beside),
    ...(host === plan.host && { TENFOLD_ZONE: plan.zone, TENFOLD_ADDRESS: plan.address }),
    ...environment,
  });
  await running.done;
}

async function moduleOf(
  own: ProcessPlan,
  definition: FleetDefinition,
  fleetPath: string,
): Promise<Service> {
  switch (own.kind) {
    case "coordinator":
      return coordinatorService;
    case "gateway":
      return gatewayService;
    case "queue":
      return queueService;
    case "registry":
      return registryService;
    case "console":
      // Loaded for the console alone: every other process starts without it.
      return (await import("../console/service.ts")).service;
    case "service": {
      const { module } = definition.services[own.service] ?? { module: "" };
      return await importService(fleetPath, module);
    }
  }
}

/** What the fleet file and the fleet that runs beside say, where the environment says nothing. */
function fromFleetFile(
  { coordinator }: FleetDefinition,
  plan: FleetPlan,
  own: ProcessPlan,
  beside: RunningFleet | undefined,
): Record<string, string> {
  const secrets = fleetSecrets(plan, own.stores);
  const access = beside?.access ?? (coordinator?.kind === "etcd" ? coordinator.access : undefined);
  const joins = existsSync(join(plan.dataFolder, "token"));
  return {
    TENFOLD_FLEET: plan.fleet,
    TENFOLD_VERSION: version,
    TENFOLD_COORDINATOR: beside?.coordinator ?? plan.coordinator,
    ...(access === undefined ? {} : { TENFOLD_COORDINATOR_ACCESS: JSON.stringify(access) }),
    TENFOLD_SETTINGS: JSON.stringify(own.settings),
    ...(joins ? { TENFOLD_TOKEN: secrets.token } : {}),
    ...(joins ? { TENFOLD_STORES: JSON.stringify(secrets.stores) } : {}),
  };
}

function given(): Record<string, string> {
  const all = Object.entries(process.env).flatMap(([key, value]) =>
    value === undefined || value === "" ? [] : [[key, value] as const],
  );
  return Object.fromEntries(all);
}

function unknownService(name: string, plan: FleetPlan): TenfoldError {
  const names = [...new Set(plan.fleetProcesses.map(({ service }) => service))].join(", ");
  return new TenfoldError(
    "TENFOLD_FLEET_INSTANCE_UNKNOWN",
    `The fleet ${plan.fleet} has no service "${name}"; it has ${names}.`,
  );
}
