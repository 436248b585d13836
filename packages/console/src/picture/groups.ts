import type {
  ConsoleState,
  InstanceState,
  QueueState,
  ServiceState,
} from "../../../cli/src/console/console-state.ts";
import { shardColors } from "../shard-colors.ts";

/** A box of the picture: the instances of one service (or the servers of one shard) on one host. */
export interface Group {
  readonly id: string;
  readonly title: string;
  readonly host: string;
  /** How far from the client: the column of a wide picture, the row of a narrow one. */
  readonly stage: number;
  /** Place within the stage: smaller comes first. */
  readonly order: number;
  /** What its links are named after. */
  readonly target: string;
  readonly service: ServiceState | undefined;
  readonly queue: QueueState | undefined;
  /** The class of its colour in the slot strip, for a shard. */
  readonly color: string | undefined;
  readonly nodes: readonly Node[];
}

export interface Node {
  readonly instance: InstanceState;
  /** `primary` or `standby` for a database server. */
  readonly part: "primary" | "standby" | undefined;
}

/** Everything that runs, sorted into stages: what the layout places. */
export function groupsOf(state: ConsoleState): readonly Group[] {
  const services = new Map(state.services.map((service) => [service.name, service]));
  const called = new Set(
    state.links.filter(({ from }) => services.get(from)?.role === "gateway").map(({ to }) => to),
  );
  const callers = new Set(state.links.map(({ from }) => from));
  const plain = state.instances.filter(({ role }) => role !== "database");
  const byPlace = Map.groupBy(plain, ({ service, host }) => `${service}@${host}`);
  const ofServices = [...byPlace].map(([id, instances]): Group => {
    const { service: name, host, role } = instances[0] as InstanceState;
    const [stage, order] = placeOf(role, called.has(name) && callers.has(name));
    const nodes = instances.map((instance) => ({ instance, part: undefined }));
    const service = services.get(name);
    const queue = state.queues.find((one) => one.service === name);
    const place = { host, stage, order, target: name };
    return { id, title: name, ...place, service, queue, color: undefined, nodes };
  });
  return [...ofServices, ...shardGroups(state)];
}

/** Stage, and order in it. The main road (gateway, entry, queue, workers, shards) runs on top. */
function placeOf(role: ServiceState["role"], entry: boolean): [number, number] {
  switch (role) {
    case "gateway":
      return [1, 0];
    case "console":
      return [1, 1];
    case "coordinator":
      return [1, 2];
    case "queue":
      return [3, 0];
    case "worker":
      return [4, 0];
    case "database":
      return [5, 0];
    case "service":
      return entry ? [2, 0] : [3, 1];
  }
}

function shardGroups(state: ConsoleState): Group[] {
  const stores = new Set(state.shards.map(({ store }) => store));
  const known = new Map<
    string,
    { title: string; store: string; shard: string; part: Node["part"] }
  >();
  for (const { store, shard, primary, standbys } of state.shards) {
    const title = stores.size > 1 ? `shard ${shard} of ${store}` : `shard ${shard}`;
    known.set(primary, { title, store, shard, part: "primary" });
    for (const standby of standbys) known.set(standby, { title, store, shard, part: "standby" });
  }
  const servers = state.instances.filter(({ role }) => role === "database");
  const byPlace = Map.groupBy(
    servers,
    ({ name, host, service }) => `${known.get(name)?.title ?? service}@${host}`,
  );
  return [...byPlace].map(([id, instances]): Group => {
    const { name, host, service } = instances[0] as InstanceState;
    const shard = known.get(name);
    const nodes = instances.map((instance) => ({ instance, part: known.get(instance.name)?.part }));
    return {
      id: `shard ${id}`,
      title: shard?.title ?? service,
      host,
      stage: 5,
      order: 0,
      target: `store/${shard?.store ?? service}`,
      service: undefined,
      queue: undefined,
      color: shard && shardColor(state, shard.store, shard.shard),
      nodes: nodes.sort((a, b) => Number(b.part === "primary") - Number(a.part === "primary")),
    };
  });
}

function shardColor(state: ConsoleState, store: string, shard: string): string | undefined {
  const placement = state.placements.find((one) => one.store === store);
  return placement && shardColors(placement).get(shard);
}
