import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

import type { Coordinator } from "../coordination/coordinator.ts";
import { createKeptSession, type KeptSession } from "../coordination/kept-session.ts";
import type { Member } from "../discovery/endpoint.ts";
import { createRegistrar, type Registrar } from "../discovery/registrar.ts";
import { connectEtcd } from "../engines/etcd/client.ts";
import { abortError, errorText } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { fileStorage } from "../runtime/storage.ts";
import { type ProcessProbe, processMetrics } from "../telemetry/process-metrics.ts";
import { createRegistry, type Registry } from "../telemetry/registry.ts";
import { type AdminServer, createAdminServer } from "./admin-server.ts";
import { connectFleetCoordinator } from "./coordinator-access.ts";
import { listen } from "./http-listen.ts";
import { createHttpService, type HttpService } from "./http-service.ts";
import type { InstanceEnvironment } from "./instance-environment.ts";
import { nodeProbe } from "./node-probe.ts";
import { reportLoad } from "./report-load.ts";
import { resolveSecret } from "./secret-reference.ts";
import type { Instance, RunningService, Service } from "./service.ts";
import { type OpenContext, openServiceContext } from "./service-context.ts";

export interface ServiceHostOptions {
  readonly service: Service;
  readonly environment: InstanceEnvironment;
  readonly runtime: Runtime;
  /** Default: etcd's protocol at the environment's coordinator. Must not wait for the server. */
  readonly connectCoordinator?: (endpoints: string, token: string) => Coordinator;
}

export const serviceHostDefaults: {
  readonly readyPollMs: number;
  readonly registerSoonMs: number;
  readonly deregisterMs: number;
  readonly propagationMs: number;
  readonly graceMs: number;
  readonly closeMs: number;
} = Object.freeze({
  readyPollMs: 25,
  /** A registration that takes longer is told in the log, once. */
  registerSoonMs: 1_000,
  /** How long a stop waits for the coordinator to take the registration out. */
  deregisterMs: 1_000,
  /** How long it then goes on serving, until callers have heard that it is gone. */
  propagationMs: 150,
  /** How long requests under way may take to finish. */
  graceMs: 10_000,
  /** How long the service may take to close what it opened. */
  closeMs: 3_000,
});

/**
 * Runs one instance of a service in this process: coordinator, metrics, admin port, HTTP, and its
 * registration. It touches nothing of the process itself; `runService` does.
 *
 * Readiness does not depend on the coordinator: the instance starts and serves without one, is
 * registered when it answers, and stays ready when it goes away.
 */
export class ServiceHost {
  readonly #options: ServiceHostOptions;
  readonly #runtime: Runtime;
  readonly #stopping = new AbortController();
  #phase: "starting" | "ready" | "stopping" = "starting";
  #starting: Promise<Instance> | undefined;
  #stopped: Promise<void> | undefined;
  #admin: AdminServer | undefined;
  #coordinator: Coordinator | undefined;
  #session: KeptSession | undefined;
  #open: OpenContext | undefined;
  #running: RunningService | undefined;
  #http: HttpService | undefined;
  #registrar: Registrar | undefined;

  constructor(options: ServiceHostOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
  }

  /**
   * Resolves when the instance serves.
   * @throws what the service's `start` throws, TENFOLD_FLEET_PORT_TAKEN,
   * TENFOLD_FLEET_SECRET_UNREADABLE; TENFOLD_ABORTED when stopped before
   */
  start(): Promise<Instance> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /**
   * Takes the instance out of the members map, finishes what is under way, and closes everything
   * in turn. Idempotent, never throws.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #start(): Promise<Instance> {
    const { service, environment } = this.#options;
    const { clock, log } = this.#runtime;
    await mkdir(environment.instance.dataFolder, { recursive: true, mode: 0o700 });
    const token = await this.#token();
    const metrics = createRegistry({ clock });
    const probe = nodeProbe(clock);
    processMetrics(metrics, probe);
    const instance = await this.#openAdmin(token, metrics);
    this.#connect(instance, token, metrics, await this.#openCoordinator(token));
    this.#refuseWhenStopping();
    const { context } = this.#open as OpenContext;
    this.#running = await service.start(context);
    await this.#becomeReady(this.#running);
    const { routes, bodyBytesMax } = this.#running;
    if (routes !== undefined) {
      this.#http = await createHttpService({
        listen: { host: instance.address, port: instance.port },
        routes,
        metrics,
        limits: bodyBytesMax === undefined ? {} : { bodyBytesMax },
        runtime: this.#runtime,
      });
    }
    this.#refuseWhenStopping();
    this.#phase = "ready";
    this.#register(instance, probe);
    const { port, adminPort } = instance;
    log.info("ready", { port, adminPort, version: instance.version });
    return instance;
  }

  /** Opens the admin port first, so that a supervisor sees the process alive while it starts. */
  async #openAdmin(token: string, metrics: Registry): Promise<Instance> {
    const { instance } = this.#options.environment;
    const { address: host } = instance;
    this.#admin = await createAdminServer({
      listen: { host, port: instance.adminPort },
      token,
      metrics,
      notReady: () => this.#notReady(),
      runtime: this.#runtime,
    });
    const port = instance.port === 0 ? await freePort(host) : instance.port;
    return { ...instance, port, adminPort: this.#admin.port };
  }

  async #openCoordinator(token: string): Promise<Coordinator> {
    const { environment, connectCoordinator } = this.#options;
    const { coordinator: endpoints, coordinatorAccess: access } = environment;
    const runtime = this.#runtime;
    if (connectCoordinator !== undefined) return connectCoordinator(endpoints, token);
    if (access === undefined) return connectEtcd({ endpoints, token, runtime });
    return await connectFleetCoordinator(endpoints, access, runtime);
  }

  #connect(instance: Instance, token: string, metrics: Registry, coordinator: Coordinator): void {
    const { environment } = this.#options;
    const runtime = this.#runtime;
    this.#coordinator = coordinator;
    this.#session = createKeptSession(coordinator, { runtime });
    this.#open = openServiceContext({
      instance,
      settings: environment.settings,
      stores: environment.stores,
      runtime,
      metrics,
      coordinator,
      session: this.#session,
      token,
      stopping: this.#stopping.signal,
    });
  }

  /** The fleet's token, or one of our own that a person finds in the data folder. */
  async #token(): Promise<string> {
    const { token: reference, instance } = this.#options.environment;
    if (reference !== undefined) return await resolveSecret(reference);
    const storage = fileStorage(instance.dataFolder);
    const known = await storage.read("token");
    if (known !== undefined && known.length > 0) return Buffer.from(known).toString().trim();
    const made = randomBytes(24).toString("base64url");
    await storage.write("token", made);
    const file = join(instance.dataFolder, "token");
    this.#runtime.log.info("no token was given; made one", { file });
    return made;
  }

  async #becomeReady(running: RunningService): Promise<void> {
    const { clock, log } = this.#runtime;
    const { signal } = this.#stopping;
    let told: string | undefined;
    for (;;) {
      this.#refuseWhenStopping();
      const reason = await running.notReady?.();
      if (reason === undefined) return;
      if (reason !== told) log.info("not ready yet", { reason });
      told = reason;
      await clock.sleep(serviceHostDefaults.readyPollMs, { signal });
    }
  }

  #notReady(): Promise<string | undefined> | string | undefined {
    return this.#phase === "ready" ? this.#running?.notReady?.() : this.#phase;
  }

  #register(instance: Instance, probe: ProcessProbe): void {
    const { clock, log } = this.#runtime;
    const coordinator = this.#coordinator as Coordinator;
    const session = this.#session as KeptSession;
    const { fleet } = instance;
    const member = memberOf(instance, clock.wallNow());
    const runtime = this.#runtime;
    const registrar = createRegistrar({ coordinator, session, fleet, member, runtime });
    this.#registrar = registrar;
    const requests = () => this.#http?.underWay ?? 0;
    reportLoad({ registrar, probe, requests, clock, signal: this.#stopping.signal });
    const late = clock.setTimer(
      serviceHostDefaults.registerSoonMs,
      () => log.warn("serving, and waiting for the coordinator to register"),
      { keepAlive: false },
    );
    void registrar.registered.then(() => late.cancel());
  }

  #refuseWhenStopping(): void {
    if (this.#stopping.signal.aborted) throw abortError(this.#stopping.signal);
  }

  async #stop(): Promise<void> {
    const { clock, log } = this.#runtime;
    const { deregisterMs, propagationMs, graceMs, closeMs } = serviceHostDefaults;
    const served = this.#phase === "ready";
    this.#phase = "stopping";
    log.info("stopping");
    this.#stopping.abort();
    this.#http?.drain();
    if (served) {
      await this.#registrar?.deregister({ timeoutMs: deregisterMs });
      await clock.sleep(propagationMs);
    }
    // A start that does not heed `stopping` is not waited for longer than a close.
    await this.#within(closeMs, "its start", () => this.#starting?.then(ignore, ignore));
    await this.#http?.close({ graceMs });
    await this.#within(closeMs, "its close", () => this.#running?.close?.());
    await this.#open?.close();
    await this.#session?.close();
    await this.#coordinator?.close();
    await this.#admin?.close();
    log.info("stopped");
  }

  async #within(
    timeoutMs: number,
    what: string,
    work: () => Promise<void> | undefined,
  ): Promise<void> {
    const { clock, log } = this.#runtime;
    const late = Promise.withResolvers<void>();
    const timer = clock.setTimer(timeoutMs, () => {
      log.warn("the service did not end in time; going on", { what, timeoutMs });
      late.resolve();
    });
    const failed = (error: unknown): void => {
      log.error("the service failed while it stopped", { what, error });
    };
    const running = (async () => await work())();
    await Promise.race([running.catch(failed), late.promise]);
    timer.cancel();
  }
}

function ignore(): void {}

function memberOf(instance: Instance, startedAtMs: number): Member {
  const { name, service, host, zone, address, port, adminPort, version } = instance;
  const where = { host, zone, address, port, adminPort, protocol: "http" as const };
  return { id: name, service, ...where, version, weight: 1, pid: process.pid, startedAtMs };
}

/** Chosen before the service starts, which may want to know it, and taken a little later. */
async function freePort(host: string): Promise<number> {
  const server = createServer();
  const port = await listen(server, { host, port: 0 });
  await new Promise<void>((resolve, reject) => {
    server.close((error) => (error ? reject(new Error(errorText(error))) : resolve()));
  });
  return port;
}
