import type { Coordinator } from "../coordination/coordinator.ts";
import type { KeptSession } from "../coordination/kept-session.ts";
import { coordinatorResolver } from "../discovery/coordinator-resolver.ts";
import { createServiceClient, type ServiceClient } from "../discovery/service-client.ts";
import { createSettings } from "../flags/settings.ts";
import type { Queue } from "../queueing/queue.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { fileStorage } from "../runtime/storage.ts";
import type { Registry } from "../telemetry/registry.ts";
import { queueClientOptions, queueOver } from "./queue-client.ts";
import { isSecretReference, resolveSecret, resolveSecrets } from "./secret-reference.ts";
import type { Instance, ServiceContext } from "./service.ts";

export interface ServiceContextOptions {
  readonly instance: Instance;
  readonly settings: Readonly<Record<string, unknown>>;
  /** By store: settings with secret references inside, or one reference to all of it. */
  readonly stores: Readonly<Record<string, unknown>>;
  readonly runtime: Runtime;
  readonly metrics: Registry;
  readonly coordinator: Coordinator;
  readonly session: KeptSession;
  readonly token: string;
  readonly stopping: AbortSignal;
}

/** A service's context and what it opened on the way. */
export interface OpenContext {
  readonly context: ServiceContext;
  /** Closes clients and watches. Idempotent, never throws. */
  close(): Promise<void>;
}

export function openServiceContext(options: ServiceContextOptions): OpenContext {
  const { instance, settings, runtime, metrics, coordinator, token, stopping } = options;
  const { fleet } = instance;
  const disk = { storage: fileStorage(instance.dataFolder), fleet };
  const maps = { disk, session: options.session, runtime };
  const resolver = coordinatorResolver(coordinator, { fleet, ...maps });
  const opened: { close(): Promise<void> }[] = [];
  const shared = new Map<string, ServiceClient>();
  const queues = new Map<string, Queue>();

  const client: ServiceContext["client"] = (service, own) => {
    const known = own === undefined ? shared.get(service) : undefined;
    if (known !== undefined) return known;
    const made = createServiceClient(service, { resolver, runtime, metrics, ...own });
    opened.push(made);
    if (own === undefined) shared.set(service, made);
    return made;
  };
  const context: ServiceContext = {
    instance,
    settings,
    runtime,
    metrics,
    coordinator,
    token,
    stopping,
    maps: { ...maps, signal: stopping },
    resolver,
    client,
    session: () => livingSession(options.session),
    async liveSettings(definitions) {
      const live = createSettings({ coordinator, fleet, definitions, ...maps });
      opened.push(live);
      await live.settled;
      return live;
    },
    queue(name) {
      const queue =
        queues.get(name) ?? queueOver(client(`queue-${name}`, queueClientOptions), token, runtime);
      queues.set(name, queue);
      return queue;
    },
    store: (name) => storeSettings(options.stores, name),
  };
  return {
    context,
    async close() {
      await Promise.all(opened.map((each) => each.close()));
      resolver.close();
    },
  };
}

function livingSession(kept: KeptSession): ReturnType<ServiceContext["session"]> {
  if (kept.current !== undefined) return kept.current;
  const message = "There is no session with the coordinator now; one is opened when it answers.";
  throw new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", message, { retryable: true });
}

async function storeSettings(
  stores: Readonly<Record<string, unknown>>,
  name: string,
): Promise<unknown> {
  const settings = Object.hasOwn(stores, name) ? stores[name] : undefined;
  if (settings === undefined) {
    throw new TenfoldError(
      "TENFOLD_FLEET_STORE_UNKNOWN",
      `This process knows no store "${name}"; it knows: ${Object.keys(stores).join(", ")}.`,
      { details: { store: name } },
    );
  }
  if (typeof settings !== "string" || !isSecretReference(settings)) {
    return await resolveSecrets(settings);
  }
  try {
    return JSON.parse(await resolveSecret(settings));
  } catch (error) {
    // A parser's message quotes what it read, and that is a secret.
    if (!(error instanceof SyntaxError)) throw error;
    const message = `The store "${name}" is at ${settings}, which holds no JSON.`;
    throw new TenfoldError("TENFOLD_FLEET_SECRET_UNREADABLE", message);
  }
}
