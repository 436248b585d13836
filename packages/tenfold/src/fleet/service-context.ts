import type { Coordinator } from "../coordination/coordinator.ts";
import type { KeptSession } from "../coordination/kept-session.ts";
import { coordinatorResolver } from "../discovery/coordinator-resolver.ts";
import { createServiceClient, type ServiceClient } from "../discovery/service-client.ts";
import { createSettings } from "../flags/settings.ts";
import type { Queue } from "../queueing/queue.ts";
import { decodeQueueError } from "../queueing/queue-protocol.ts";
import { remoteQueue } from "../queueing/remote-queue.ts";
import type { CallPolicyOptions } from "../resilience/call-policy.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { fileStorage } from "../runtime/storage.ts";
import type { Registry } from "../telemetry/registry.ts";
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

/** A claim of a queue may bring 256 messages of 64 KiB, quoted once more. */
const queueResponseBytesMax = 64 * 1024 * 1024;

/**
 * The queue asks again itself, as it alone knows what may be. Without a circuit: there is one
 * owner, and what is to be written waits for it.
 */
const queuePolicy: CallPolicyOptions = { name: "the queue's owner", breaker: false };

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
        queues.get(name) ??
        queueOver(
          client(`queue-${name}`, { responseBytesMax: queueResponseBytesMax, policy: queuePolicy }),
          token,
          runtime,
        );
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

/** Retries are the remote queue's: it alone knows what may be repeated. */
function queueOver(owner: ServiceClient, token: string, runtime: Runtime): Queue {
  const headers = { authorization: `Bearer ${token}` };
  return remoteQueue(
    async (operation, payload, { signal, deadlineMs, idempotent }) => {
      const reply = await owner.request({
        method: "POST",
        path: `/v1/queue/${operation}`,
        headers,
        body: payload as object,
        deadlineMs,
        tryTimeoutMs: deadlineMs,
        idempotent,
        signal,
      });
      const answer = reply.json();
      if (reply.status === 200) return answer;
      throw decodeQueueError(answer) ?? new Error(`the queue's owner answered ${reply.status}`);
    },
    { runtime },
  );
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
