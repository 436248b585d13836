import type { Coordinator } from "../coordination/coordinator.ts";
import { fleetKeys } from "../coordination/keys.ts";
import {
  decodeSlotMap,
  encodeSlotMap,
  evenSlotMap,
  finerSlotMap,
} from "../partitioning/slot-map.ts";
import { decodeTopology, encodeTopology, type Topology } from "../replication/topology.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import type { ManagedStore } from "./managed-store.ts";

const attemptsMax = 20;

/**
 * Writes what the fleet file says about the stores into the coordinator: a first placement of the
 * slots, which is kept when there is one, or counted in more slots, and where each shard's servers
 * are, which is brought up to date. Every write is a compare-and-set.
 */
export async function publishMaps(
  plan: FleetPlan,
  stores: readonly ManagedStore[],
  coordinator: Coordinator,
  signal: AbortSignal,
): Promise<void> {
  const keys = fleetKeys(plan.fleet);
  for (const store of stores) {
    const shards = store.connections.map(({ name }) => name);
    const { slots } = plan.stores.find(({ name }) => name === store.name)?.definition ?? {};
    const placement = encodeSlotMap(evenSlotMap(shards, slots));
    await update(coordinator, keys.placement(store.name), signal, (found) =>
      nextPlacement(store.name, found, placement),
    );
    for (const [shard, topology] of store.topologies) {
      const key = keys.topology(store.name, shard);
      await update(coordinator, key, signal, (found) => nextTopology(found, topology));
    }
  }
}

/**
 * The placement as found; when the file says more slots, the same counted in them: no key moves.
 * Slots cannot move yet, so a file that names other shards, or fewer slots, would leave posts
 * behind or send new ones to nowhere.
 * @throws TENFOLD_FLEET_STORE_CHANGED
 */
export function nextPlacement(store: string, found: string | undefined, wanted: string): string {
  if (found === undefined) return wanted;
  const [kept, said] = [decodeSlotMap(found), decodeSlotMap(wanted)];
  if (kept.shards.join() === said.shards.join()) {
    if (kept.slots === said.slots) return found;
    if (kept.slots < said.slots) return encodeSlotMap(finerSlotMap(kept, said.slots));
  }
  const text = ({ slots, shards }: typeof kept) => `${slots} slots on ${shards.join(", ")}`;
  throw new TenfoldError(
    "TENFOLD_FLEET_STORE_CHANGED",
    `The data of store "${store}" is placed as ${text(kept)}; the fleet file says ` +
      `${text(said)}. Put the file back, or start anew with --fresh.`,
  );
}

/** The entry as found when it names the same servers, else a newer one that names ours. */
function nextTopology(found: string | undefined, wanted: Topology): string {
  if (found === undefined) return encodeTopology(wanted);
  const { version, epoch, primary, standbys } = decodeTopology(found);
  const same = encodeTopology({ ...wanted, version, epoch });
  if (same === encodeTopology({ version, epoch, primary, standbys })) return found;
  return encodeTopology({ ...wanted, version: version + 1, epoch });
}

async function update(
  coordinator: Coordinator,
  key: string,
  signal: AbortSignal,
  next: (found: string | undefined) => string,
): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = await coordinator.get(key, { signal });
    const value = next(found?.value);
    if (value === found?.value) return;
    const when = found ? { key, revision: found.revision } : { key, is: "absent" as const };
    const change = [{ put: key, value }];
    const { outcome } = await coordinator.transact({ when: [when], change }, { signal });
    if (outcome === "applied") return;
  }
  throw new TenfoldError("TENFOLD_FLEET_START_FAILED", `${key} keeps changing under our hands.`);
}
