import { fleetKeys, watchedMap } from "tenfold/coordination";
import type { ServiceContext } from "tenfold/fleet";
import { decodeSlotMap, heldPlacement, type SlotMap } from "tenfold/partitioning";
import { errorText, isTenfoldError } from "tenfold/runtime";

import { createPostStore, type PostStore } from "./post-store.ts";

/** One shard of the store as the fleet tells of it. */
interface Connection {
  readonly name: string;
  readonly primary: string;
}

const retryEveryMs = 200;

/**
 * The post store of a fleet's service: connections from its environment, the placement from the
 * coordinator, tables made. Waits for both; a placement that is unreadable, older, or names other
 * shards never replaces a good one.
 *
 * @throws TENFOLD_POSTGRES_SCHEMA_NEWER, which no waiting mends
 */
export async function openPostStore(context: ServiceContext): Promise<PostStore> {
  const { coordinator, instance, runtime, stopping } = context;
  const { log } = runtime;
  const connections = (await context.store("posts")) as readonly Connection[];
  const key = fleetKeys(instance.fleet).placement("posts");
  const held = heldPlacement(
    decodeSlotMap,
    connections.map(({ name }) => name),
  );
  const placements = watchedMap(coordinator, key, held.take, context.maps);
  const placement = (): SlotMap => {
    if (held.current === undefined) throw new Error(`There is no placement at ${key}.`);
    return held.current;
  };
  await placements.ready;
  const store = createPostStore({
    shards: connections.map(({ name, primary }) => ({ name, connectionString: primary })),
    placement,
    log,
  });
  let told: string | undefined;
  while (!stopping.aborted) {
    try {
      placement();
      await store.migrate();
      break;
    } catch (error) {
      if (isTenfoldError(error, "TENFOLD_POSTGRES_SCHEMA_NEWER")) throw error;
      const reason = errorText(error);
      if (reason !== told) log.info("waiting for the databases", { reason });
      told = reason;
      await runtime.clock.sleep(retryEveryMs, { signal: stopping });
    }
  }
  return store;
}
