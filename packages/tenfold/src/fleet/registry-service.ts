import { registrationDefaults } from "../discovery/registration.ts";
import { createServiceRegistry, type ServiceRegistry } from "../discovery/service-registry.ts";
import type { Clock } from "../runtime/clock.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { guardedHandler } from "./guarded-handler.ts";
import { registryEvents } from "./registry-events.ts";
import {
  defineService,
  type Service,
  type ServiceHandler,
  type ServiceRequest,
  type ServiceResponse,
  type ServiceRoutes,
} from "./service.ts";

export const registryServiceDefaults: {
  readonly watchersMax: number;
  readonly keepAliveMs: number;
  readonly bodyBytesMax: number;
} = Object.freeze({
  /** Open watches at once; more are answered 503. */
  watchersMax: 256,
  /** Shorter than the idle time-out of any proxy in between. */
  keepAliveMs: 15_000,
  bodyBytesMax: 4_096,
});

/**
 * Discovery over REST, for services in any language. All of it wants the fleet's token.
 *
 * `PUT /v1/services/SERVICE/INSTANCE` registers, `POST …/heartbeat` (or the same PUT) keeps it,
 * `DELETE` takes it out; `GET /v1/services[/SERVICE]` lists, `GET /v1/services/SERVICE/watch` goes
 * on with server-sent events. Setting `instancesMax`: how many it keeps.
 */
export const registryService: Service = defineService({
  name: "registry",
  start({ instance, settings, coordinator, runtime, token, metrics, stopping }) {
    refuseUnknownKeys("the registry's settings", settings, ["instancesMax"]);
    const { fleet, host, zone, address } = instance;
    const { instancesMax } = settings;
    const registry = createServiceRegistry({
      coordinator,
      fleet,
      host,
      zone,
      runtime,
      ...(instancesMax !== undefined && {
        instancesMax: numberOption("instancesMax", instancesMax, { min: 1, max: 1_000_000 }),
      }),
    });
    const kept = metrics.gauge({
      name: "tenfold_registry_instances",
      help: "Instances that this registry keeps by their heartbeats.",
    });
    const trust = { token, ownHosts: [address] };
    const routes = registryRoutes(registry, { clock: runtime.clock, stopping });
    return {
      bodyBytesMax: registryServiceDefaults.bodyBytesMax,
      routes: Object.fromEntries(
        Object.entries(routes).map(([pattern, handler]) => [
          pattern,
          guardedHandler(trust, async (request) => {
            const answer = await handler(request);
            kept.set(registry.size);
            return answer;
          }),
        ]),
      ),
      close: () => registry.close(),
    };
  },
});

interface RegistryRoutesOptions {
  readonly clock: Clock;
  /** Aborts when open watches shall end. */
  readonly stopping: AbortSignal;
}

function registryRoutes(registry: ServiceRegistry, options: RegistryRoutesOptions): ServiceRoutes {
  const heard = (): NonNullable<ReturnType<ServiceRegistry["list"]>> => {
    const services = registry.list();
    if (services !== undefined) return services;
    throw new TenfoldError(
      "TENFOLD_COORDINATION_UNAVAILABLE",
      "The coordinator was not heard yet: what is registered is not known.",
      { retryable: true },
    );
  };
  return {
    "GET /v1/services": () => {
      const services = heard().map(({ service, members }) => [service, members]);
      return { status: 200, body: { services: Object.fromEntries(services) } };
    },
    "GET /v1/services/:service": ({ params }) => {
      const { service = "" } = params;
      const found = heard().find((listing) => listing.service === service);
      return { status: 200, body: found ?? { service, members: [] } };
    },
    "GET /v1/services/:service/watch": watchRoute(registry, options),
    "PUT /v1/services/:service/:instance": async ({ params, json }) => {
      const { service = "", instance = "" } = params;
      const { member, created } = await registry.register(service, instance, await json());
      return { status: created ? 201 : 200, body: kept(member) };
    },
    "POST /v1/services/:service/:instance/heartbeat": async ({ params }) => {
      const { service = "", instance = "" } = params;
      const { member } = await registry.heartbeat(service, instance);
      return { status: 200, body: kept(member) };
    },
    "DELETE /v1/services/:service/:instance": async ({ params }) => {
      const { service = "", instance = "" } = params;
      await registry.deregister(service, instance);
      return { status: 204 };
    },
  };
}

/** The entry as it stands, and how often to say that it still does. */
function kept(member: { readonly ttlMs?: number | undefined }): object {
  const { ttlMs = registrationDefaults.ttlMs } = member;
  return { member, ttlMs, heartbeatEveryMs: Math.floor(ttlMs / 3) };
}

function watchRoute(
  registry: ServiceRegistry,
  { clock, stopping }: RegistryRoutesOptions,
): ServiceHandler {
  const { watchersMax, keepAliveMs } = registryServiceDefaults;
  let watchers = 0;
  const counted = async function* (events: AsyncGenerator<string>): AsyncGenerator<string> {
    // Counted once it is read: of a caller that is gone already it never is.
    watchers++;
    try {
      yield* events;
    } finally {
      watchers--;
    }
  };
  return ({ params, headers, signal }: ServiceRequest): ServiceResponse => {
    if (watchers >= watchersMax) {
      const message = `${watchersMax} watches are open, which is the limit.`;
      throw new TenfoldError("TENFOLD_FLEET_BUSY", message, { retryable: true });
    }
    const until = AbortSignal.any([signal, stopping]);
    const events = registryEvents(registry.watch(params.service ?? "", until), {
      lastEventId: headers["last-event-id"]?.toString(),
      keepAliveMs,
      clock,
    });
    return {
      status: 200,
      headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
      body: counted(events),
      // A watch waits all its life.
      waitedMs: Number.POSITIVE_INFINITY,
    };
  };
}
