/** Where the maps of a fleet stand in the coordinator: one folder a fleet, one a map. */
export interface FleetKeys {
  /** `/tenfold/FLEET/`: all of the fleet's. */
  all(): string;
  /** `…/members/` or, with a service, `…/members/posts/`. */
  members(service?: string): string;
  member(service: string, instance: string): string;
  /** `…/topology/`; with store and shard the entry that says who is primary. */
  topology(store?: string, shard?: string): string;
  /** The entry that says which slot of a store lives on which shard. */
  placement(store: string): string;
  /** The folder in which the waiters for a lock stand in line. */
  lock(name: string): string;
  /** The folder in which the candidates of an election stand in line. */
  election(name: string): string;
  /** The map of settings: what is set now. */
  settings(): string;
  /** What settings there are, as the services that read them say. */
  settingDefinitions(): string;
  /** What each setting was before. */
  settingHistory(): string;
  /** The folder of claimed numbers of one kind, such as Snowflake workers. */
  numbers(kind?: string): string;
  /** `…/hosts/` or, with a name, the entry of the supervisor that runs there. */
  hosts(host?: string): string;
  /** `…/homes/` or, with what keeps data, the entry that says on which host it does. */
  homes(name?: string): string;
  /** The digest of the token that a host must show to join. */
  joinToken(): string;
}

export function fleetKeys(fleet: string): FleetKeys {
  const root = `/tenfold/${fleet}`;
  return {
    all: () => `${root}/`,
    members: (service) => (service ? `${root}/members/${service}/` : `${root}/members/`),
    member: (service, instance) => `${root}/members/${service}/${instance}`,
    topology: (store, shard) =>
      store && shard ? `${root}/topology/${store}/${shard}` : `${root}/topology/`,
    placement: (store) => `${root}/placement/${store}`,
    lock: (name) => `${root}/locks/${name}/`,
    election: (name) => `${root}/elections/${name}/`,
    settings: () => `${root}/settings/`,
    settingDefinitions: () => `${root}/setting-definitions/`,
    settingHistory: () => `${root}/setting-history/`,
    numbers: (kind) => (kind ? `${root}/numbers/${kind}/` : `${root}/numbers/`),
    hosts: (host = "") => `${root}/hosts/${host}`,
    homes: (name = "") => `${root}/homes/${name}`,
    joinToken: () => `${root}/join-token`,
  };
}
