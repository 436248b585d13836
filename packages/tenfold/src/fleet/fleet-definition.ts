import { validateFleet } from "./fleet-validation.ts";

export interface HostDefinition {
  /** What its listeners bind to and advertise. Default 127.0.0.1. */
  readonly address?: string;
  /** Failure domain; default "local". */
  readonly zone?: string;
  /**
   * Where the ports of its processes begin; the host uses up to 1,000 from there. Default 18000.
   */
  readonly portsFrom?: number;
}

/** What a settings function may ask of the plan. */
export interface Places {
  /** `host:port` of the first instance of a service, or of "gateway" or "console". */
  readonly addressOf: (service: string) => string;
}

export interface ServiceDefinition<Store extends string = string, Queue extends string = string> {
  /** The module that exports `service`, relative to the fleet file. */
  readonly module: string;
  /** How many processes run it, 1 … 99. Default 1. */
  readonly instances?: number;
  /** A port that people know, for a service with one instance; otherwise the plan gives one. */
  readonly port?: number;
  /** What the service reads as `context.settings`: JSON, or a function of where things are. */
  readonly settings?:
    | Readonly<Record<string, unknown>>
    | ((places: Places) => Readonly<Record<string, unknown>>);
  /** The stores it opens; only these are made known to it. */
  readonly stores?: readonly Store[];
  /** The queues it calls. */
  readonly queues?: readonly Queue[];
}

export interface GatewayRoute<Name extends string = string> {
  /** Path prefix on segment borders: "/api/v1/posts" also takes "/api/v1/posts/42". */
  readonly path: string;
  readonly service: Name;
}

export interface GatewayDefinition<Name extends string = string> {
  readonly port: number;
  readonly routes: readonly GatewayRoute<Name>[];
}

/** One durable node of our own, its own process: a single point that restarts in under a second. */
export interface EmbeddedCoordinator {
  readonly kind: "embedded";
}

/** PostgreSQL shards: servers that the fleet runs itself, or servers given by URL. */
export interface PostgresStore {
  readonly kind: "postgres";
  /** 1 … 40; with `urls` one a URL. */
  readonly shards: number;
  /** Standbys a shard, 0 … 5; none of ours with `urls`. */
  readonly standbys: number;
  /** Logical shards; fixed for the life of the data. */
  readonly slots: number;
  /** Who may answer reads. A post leaves the pending index once these servers have its row. */
  readonly readFrom: "primary";
  /**
   * Secret references to connection URLs, such as `env:POSTS_SHARD_0`; absent: servers of our own.
   */
  readonly urls: readonly string[] | undefined;
}

/** A durable queue on SQLite, its own process, with the index of what is pending by key. */
export interface SqliteQueue {
  readonly kind: "sqlite";
  /** Messages that may be waiting before producers are pushed back. Default 1,000,000. */
  readonly waitingMax: number;
}

export interface FleetDefinition<
  Name extends string = string,
  Store extends string = string,
  Queue extends string = string,
> {
  /** Lower case letters, digits and dashes; names the data folder and the coordinator's keys. */
  readonly name: string;
  /** Left out: this machine, as "local" on 127.0.0.1. */
  readonly hosts?: Readonly<Record<string, HostDefinition>>;
  readonly coordinator?: EmbeddedCoordinator;
  readonly gateway?: GatewayDefinition<NoInfer<Name>>;
  readonly console?: { readonly port: number };
  readonly services: Readonly<Record<Name, ServiceDefinition<NoInfer<Store>, NoInfer<Queue>>>>;
  readonly stores?: Readonly<Record<Store, PostgresStore>>;
  readonly queues?: Readonly<Record<Queue, SqliteQueue>>;
  /** Commands to try, one a line, shown to the person who starts the fleet. */
  readonly hints?: (places: Places) => readonly string[];
}

/**
 * Declares a fleet: what runs, how often, and what it needs. The file that exports it as default
 * is what `tenfold up` reads; the same file describes one machine and many.
 *
 * @throws TENFOLD_FLEET_DEFINITION_INVALID naming the place, what was expected and what came.
 */
export function defineFleet<
  const Name extends string,
  const Store extends string = never,
  const Queue extends string = never,
>(definition: FleetDefinition<Name, Store, Queue>): FleetDefinition {
  validateFleet(definition as unknown as FleetDefinition);
  return definition as unknown as FleetDefinition;
}

export function embedded(): EmbeddedCoordinator {
  return { kind: "embedded" };
}

export type ShardedPostgresOptions =
  | {
      readonly shards: number;
      readonly standbys?: number;
      readonly slots?: number;
      readonly readFrom?: "primary";
    }
  | {
      readonly urls: readonly string[];
      readonly slots?: number;
      readonly readFrom?: "primary";
    };

/**
 * @param options `shards` and `standbys` (default 0) for servers that the fleet runs, or `urls`,
 * one a shard, for servers that you run; `slots` 2 … 8,192, default 1,024.
 */
export function shardedPostgres(options: ShardedPostgresOptions): PostgresStore {
  const urls = "urls" in options ? options.urls : undefined;
  return {
    kind: "postgres",
    shards: "urls" in options ? options.urls.length : options.shards,
    standbys: "urls" in options ? 0 : (options.standbys ?? 0),
    slots: options.slots ?? 1_024,
    readFrom: options.readFrom ?? "primary",
    urls,
  };
}

export function durableQueue(options: { readonly waitingMax?: number } = {}): SqliteQueue {
  return { kind: "sqlite", waitingMax: options.waitingMax ?? 1_000_000 };
}
