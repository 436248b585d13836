import type { Coordinator } from "../coordination/coordinator.ts";
import { fleetKeys } from "../coordination/keys.ts";
import {
  type WatchedMap,
  type WatchedMapOptions,
  watchedMap,
} from "../coordination/watched-map.ts";
import type { Member, Resolver } from "./endpoint.ts";
import { parseMember } from "./member.ts";

export interface CoordinatorResolverOptions
  extends Pick<WatchedMapOptions, "disk" | "session" | "runtime"> {
  readonly fleet: string;
}

/** A resolver that owns watches of the members map. */
export interface CoordinatorResolver extends Resolver {
  /** Stops all watches. Idempotent. */
  close(): void;
}

/**
 * The members map as a resolver, one watch a service however many ask. While the coordinator is
 * gone the last known list stays: instances that die meanwhile are found out by calling them.
 */
export function coordinatorResolver(
  coordinator: Pick<Coordinator, "list" | "watch">,
  options: CoordinatorResolverOptions,
): CoordinatorResolver {
  const { fleet, ...mapOptions } = options;
  const keys = fleetKeys(fleet);
  const maps = new Map<string, WatchedMap<Member>>();
  const mapOf = (service: string): WatchedMap<Member> => {
    const known = maps.get(service);
    if (known !== undefined) return known;
    const map = watchedMap(coordinator, keys.members(service), parseMember, mapOptions);
    maps.set(service, map);
    return map;
  };
  return {
    async *watch(service, watchOptions = {}) {
      for await (const members of mapOf(service).watch(watchOptions)) yield [...members.values()];
    },
    close() {
      for (const map of maps.values()) map.close();
    },
  };
}
