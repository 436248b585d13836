import type { Coordinator } from "../coordination/coordinator.ts";
import type { FleetKeys } from "../coordination/keys.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import { putOnce } from "./put-once.ts";

export interface HomesOptions {
  readonly coordinator: Coordinator;
  readonly keys: FleetKeys;
  readonly plan: FleetPlan;
  /** The id of this host's data folder. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

interface Home {
  readonly host: string;
  readonly folder: string;
}

/**
 * Data does not move by itself: the first start of a primary or a queue notes host and folder, and
 * a fleet file or a folder by which it would be empty elsewhere is refused.
 *
 * @throws TENFOLD_FLEET_STORE_CHANGED, TENFOLD_FLEET_DATA_MISSING
 */
export async function checkHomes(options: HomesOptions): Promise<void> {
  const { coordinator, keys, plan, folder, signal } = options;
  const check = (name: string, host: string, text: string): void => {
    const home = JSON.parse(text) as Home;
    if (home.host !== host) throw moved(name, home.host, host);
    if (host === plan.host && home.folder !== folder) throw missing(name, host);
  };
  const kept = dataKept(plan);
  for (const [name, host] of kept) {
    const found = await coordinator.get(keys.homes(name), { signal });
    if (found !== undefined) check(name, host, found.value);
  }
  // Only who keeps it notes it: a file may still change before it was ever started.
  for (const [name, host] of kept.filter(([, home]) => home === plan.host)) {
    const own = JSON.stringify({ host, folder });
    check(name, host, await putOnce(coordinator, keys.homes(name), own, signal));
  }
}

/** What keeps data that exists once, with the host that the plan gives it. */
export function dataKept(plan: FleetPlan): readonly (readonly [name: string, host: string])[] {
  const queues = plan.fleetProcesses.filter(({ kind }) => kind === "queue");
  const primaries = plan.stores.flatMap(({ shards, hosts }) =>
    shards.flatMap(({ servers }) =>
      servers.filter(({ member }) => member === 1).map(({ name }) => [name, hosts.get(name) ?? ""]),
    ),
  );
  return [
    ...queues.map(({ name, host }) => [name, host] as const),
    ...(primaries as [string, string][]),
  ];
}

function moved(name: string, from: string, to: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_STORE_CHANGED",
    `The data of ${name} is on host "${from}"; by the fleet file it would be on "${to}". It does ` +
      `not move by itself: keep it there, with hosts: ["${from}"] at the store or queue.`,
    { details: { name, from, to } },
  );
}

function missing(name: string, host: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_DATA_MISSING",
    `Host "${host}" has kept the data of ${name} in another data folder than this. Start it on ` +
      "that folder, with --data, or remove the fleet's keys in the coordinator when it is lost.",
    { details: { name, host } },
  );
}
