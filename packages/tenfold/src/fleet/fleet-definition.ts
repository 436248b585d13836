import type { CoordinatorAccess } from "./coordinator-access.ts";
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
  /** What its instances are spread over first, zones (default) or hosts alone. */
  readonly spread?: "zone" | "host";
  /** The hosts that may run it. Default all. */
  readonly hosts?: readonly string[];
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
  /** The hosts that run one each. Default all, so that a client may know two. */
  readonly hosts?: readonly string[];
  /**
   * Members in the gateway's own zone come first. For gateways in every zone that have their part
   * of the users each: one that has them all would send them all to its own zone. Default false.
   */
  readonly nearFirst?: boolean;
  readonly routes: readonly GatewayRoute<Name>[];
}

export interface ConsoleDefinition {
  readonly port: number;
  /** The hosts that run one each. Default the first. */
  readonly hosts?: readonly string[];
}

/** Discovery over REST, for services in other languages; several share the same entries. */
export interface RegistryDefinition {
  readonly port: number;
  /** The hosts that run one each. Default all. */
  readonly hosts?: readonly string[];
}

/** One durable node of our own, its own process: a single point that restarts in under a second. */
export interface EmbeddedCoordinator {
  readonly kind: "embedded";
}

/** An etcd that you run, three nodes or more where it must survive one. */
export interface EtcdCoordinator {
  readonly kind: "etcd";
  /** `etcd://HOST:PORT,HOST:PORT`, or the same with `https` for TLS */
  readonly url: string;
  readonly access: CoordinatorAccess;
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
  /** The hosts that may run its servers; undefined: all. A primary stays where its data is. */
  readonly hosts: readonly string[] | undefined;
}

/** A durable queue on SQLite, its own process, with the index of what is pending by key. */
export interface SqliteQueue {
  readonly kind: "sqlite";
  /** Messages that may be waiting before producers are pushed back. Default 1,000,000. */
  readonly waitingMax: number;
  /** It runs on one host and ends with it: with several hosts this must be said. */
  readonly singlePointOfFailure: boolean;
  /** The hosts that may run it; undefined: all. It stays where its data is. */
  readonly hosts: readonly string[] | undefined;
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
  /** Default `embedded()`, which several hosts cannot share. */
  readonly coordinator?: EmbeddedCoordinator | EtcdCoordinator;
  readonly gateway?: GatewayDefinition<NoInfer<Name>>;
  readonly console?: ConsoleDefinition;
  readonly registry?: RegistryDefinition;
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
 * @throws TENFOLD_FLEET_DEFINITION_INVALID naming the place, what was expected and what came;
 * TENFOLD_FLEET_SINGLE_POINT for a queue of our own, on one of several hosts, that does not say so
 */
export function defineFleet<
  const Name extends string,
  const Store extends string = never,
  const Queue extends string = never,
>(definition: FleetDefinition<Name, Store, Queue>): FleetDefinition<Name, Store, Queue> {
  validateFleet(definition);
  return definition;
}

export function embedded(): EmbeddedCoordinator {
  return { kind: "embedded" };
}

/**
 * @param url `etcd://HOST:PORT,HOST:PORT`, or the same with `https` for TLS
 * @param access what the servers ask for; every secret in it is a reference, `file:` or `env:`
 */
export function etcd(url: string, access: CoordinatorAccess = {}): EtcdCoordinator {
  return { kind: "etcd", url, access };
}

export type ShardedPostgresOptions =
  | {
      readonly shards: number;
      readonly standbys?: number;
      readonly slots?: number;
      readonly readFrom?: "primary";
      readonly hosts?: readonly string[];
    }
  | {
      readonly urls: readonly string[];
      readonly slots?: number;
      readonly readFrom?: "primary";
    };

/**
 * @param options `shards` and `standbys` (default 0) for servers that the fleet runs, or `urls`,
 * one a shard, for servers that you run; `slots` 2 … 8,192, default 1,024; `hosts` that may run the
 * servers, default all.
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
    hosts: "urls" in options ? undefined : options.hosts,
  };
}

export interface DurableQueueOptions {
  readonly waitingMax?: number;
  readonly singlePointOfFailure?: boolean;
  readonly hosts?: readonly string[];
}

export function durableQueue(options: DurableQueueOptions = {}): SqliteQueue {
  const { waitingMax = 1_000_000, singlePointOfFailure = false, hosts } = options;
  return { kind: "sqlite", waitingMax, singlePointOfFailure, hosts };
}
