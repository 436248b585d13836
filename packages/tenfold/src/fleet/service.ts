import type { IncomingHttpHeaders } from "node:http";

import type { Coordinator, Session } from "../coordination/coordinator.ts";
import type { WatchedMapOptions } from "../coordination/watched-map.ts";
import type { Resolver } from "../discovery/endpoint.ts";
import type { ServiceClient } from "../discovery/service-client.ts";
import type { ServiceClientOptions } from "../discovery/service-client-options.ts";
import type { SettingDefinitions } from "../flags/setting-definition.ts";
import type { Settings as LiveSettings } from "../flags/settings.ts";
import type { Queue } from "../queueing/queue.ts";
import type { IncomingCall } from "../resilience/call-chain.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";

/** Who this process is, by its environment variables (see `instance-environment.ts`). */
export interface Instance {
  readonly fleet: string;
  readonly service: string;
  /** `posts-2` */
  readonly name: string;
  readonly host: string;
  readonly zone: string;
  readonly address: string;
  readonly port: number;
  readonly adminPort: number;
  /** A folder of its own, there when `start` is called. */
  readonly dataFolder: string;
  readonly version: string;
}

/** What a service is given to work with. Everything is opened for it and closed after it. */
export interface ServiceContext<Settings = Readonly<Record<string, unknown>>> {
  readonly instance: Instance;
  /** The service's `settings` in the fleet file: they stay as they are while the process runs. */
  readonly settings: Settings;
  readonly runtime: Runtime;
  readonly metrics: Registry;
  readonly coordinator: Coordinator;
  /** The fleet's token: what admin surfaces and queue owners ask for. Not to be logged. */
  readonly token: string;
  /**
   * The process's session: its registration and worker numbers hang on it.
   * @throws TENFOLD_COORDINATION_UNAVAILABLE while there is none
   */
  session(): Session;
  /**
   * How this process keeps maps of the coordinator, for `watchedMap`: on disk in its data folder,
   * and in doubt when its session was lost.
   */
  readonly maps: WatchedMapOptions;
  /** Where the instances of the fleet's services are. */
  readonly resolver: Resolver;
  /**
   * Settings that change while the process runs (`tenfold settings set …`), from `defineSettings`.
   * Resolves when they are known, or after a moment with the defaults. Closed with the process.
   */
  liveSettings<Definitions extends SettingDefinitions>(
    definitions: Definitions,
  ): Promise<LiveSettings<Definitions>>;
  /**
   * A client of another service of the fleet, balanced over its members. Those in the zone of this
   * instance come first with `balancing: { zone: { own: context.instance.zone } }`, which is worth
   * it where every zone has callers and members alike. Hand a request's `incoming` to the calls
   * that are made for it: nothing does so by itself.
   */
  client(service: string, options?: Partial<ServiceClientOptions>): ServiceClient;
  /** A queue of the fleet file. */
  queue(name: string): Queue;
  /** A store of the fleet file: its connection settings, as JSON with secrets resolved. */
  store(name: string): Promise<unknown>;
  /** Aborts when the process begins to stop. */
  readonly stopping: AbortSignal;
}

export interface ServiceRequest {
  readonly method: string;
  readonly path: string;
  /** Path parameters, percent-decoded: `/posts/:user` gives `user`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Aborts when the caller goes away or its deadline passes. */
  readonly signal: AbortSignal;
  /** Milliseconds left of the caller's deadline. */
  readonly remainingMs: () => number;
  /**
   * Deadline, attempt and retry signal as they came. Give it to every call that is made for this
   * request and for it alone, of clients and of queues: else that call has its own whole deadline,
   * and is repeated although somebody above repeats it too. It is not passed on by itself, since
   * what a handler begins may be for others as well, such as a load of a shared cache.
   */
  readonly incoming: IncomingCall;
  /**
   * The body as JSON: content type checked, at most `bodyBytesMax`, control characters refused.
   * @throws TENFOLD_FLEET_REQUEST_INVALID, TENFOLD_FLEET_BODY_TOO_LARGE,
   * TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED
   */
  json(): Promise<unknown>;
}

export interface ServiceResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * An object is sent as JSON (bigints as strings); text and bytes as they are; what an
   * `AsyncIterable<string>` gives is sent as it comes, and it should end with the request's signal.
   */
  readonly body?: unknown;
  /**
   * Milliseconds that it waited for something to happen, as a long poll does: they are no part of
   * the measured duration. Default 0.
   */
  readonly waitedMs?: number;
}

export type ServiceHandler = (
  request: ServiceRequest,
) => Promise<ServiceResponse> | ServiceResponse;

/** `"GET /api/v1/posts/:user": handler`; the pattern is also the metric label. */
export type ServiceRoutes = Readonly<Record<string, ServiceHandler>>;

export interface RunningService {
  /** Served on the instance's port; left out by a service that listens there itself or nowhere. */
  readonly routes?: ServiceRoutes;
  /** The largest request body, in bytes; default `httpServiceDefaults.bodyBytesMax`. */
  readonly bodyBytesMax?: number;
  /** Why it is not ready, or undefined when it is. Asked by `/readyz` and before it registers. */
  notReady?(): Promise<string | undefined> | string | undefined;
  /** Called after the last request was answered; the process exits when it resolves. */
  close?(): Promise<void>;
}

/** A service: what it is called and how it starts. Stateless apart from what `start` opens. */
export interface Service {
  readonly name: string;
  start(context: ServiceContext): Promise<RunningService> | RunningService;
}

/** Declares a service; a fleet file names the module that exports it as `service`. */
export function defineService(service: Service): Service {
  return service;
}
