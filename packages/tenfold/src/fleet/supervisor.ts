import { mkdir } from "node:fs/promises";
import type { Server } from "node:http";
import { join } from "node:path";
import type { Coordinator } from "../coordination/coordinator.ts";
import { connectEtcd } from "../engines/etcd/client.ts";
import { errorText, TenfoldError } from "../runtime/errors.ts";
import type { FolderLock } from "../runtime/folder-lock.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { fileStorage, type Storage } from "../runtime/storage.ts";
import { type AdminActions, createAdminApi, type FleetStatus } from "./admin-api.ts";
import { trimChildLog } from "./child-log.ts";
import { connectFleetCoordinator } from "./coordinator-access.ts";
import { createEventLog, type EventLog, type FleetEvent } from "./event-log.ts";
import { fleetActions, unknownName } from "./fleet-actions.ts";
import type { FleetPlan, ProcessKind, ProcessPlan, StorePlan } from "./fleet-plan.ts";
import { fleetToken } from "./fleet-token.ts";
import { dataKept } from "./homes.ts";
import { joinFleet, type Membership } from "./join-fleet.ts";
import type { ManagedProcess } from "./managed-process.ts";
import { managedProgram } from "./managed-program.ts";
import type { ManagedStore } from "./managed-store.ts";
import { checkPorts, folderFailure, plannedPorts, takeDataFolder } from "./preflight.ts";
import { publishMaps } from "./publish-maps.ts";
import { sideBySide } from "./side-by-side.ts";

export interface SupervisorOptions {
  readonly plan: FleetPlan;
  /** The fleet file as its processes shall load it. */
  readonly fleetFile: string;
  /** The program that runs one process of the fleet: `COMMAND ARGS run SERVICE --fleet FILE`. */
  readonly program: { readonly command: string; readonly args: readonly string[] };
  /** From where the npm packages of database servers and drivers are looked up. */
  readonly resolveFrom: string | URL;
  readonly version: string;
  /** Start with an empty data folder. */
  readonly fresh?: boolean;
  /** The fleet's token, for a host that was not in the fleet before. */
  readonly join?: string;
  readonly onEvent?: (event: FleetEvent) => void;
  readonly onStep?: (step: BootStep) => void;
  readonly runtime?: Partial<Runtime>;
}

/** A part of the start that is done, and when, counted from the beginning of the start. */
export interface BootStep {
  readonly title: string;
  readonly atMs: number;
}

export interface Supervisor {
  /** Brings the host's share up; resolves when all of it is ready. */
  start(signal: AbortSignal): Promise<void>;
  /** Drains and stops everything, callers before the called. Idempotent, never throws. */
  stop(): Promise<void>;
  /** Resolves when somebody asked to stop through the admin API. */
  readonly stopAsked: Promise<void>;
  status(): FleetStatus;
}

interface Supervised {
  readonly plan: ProcessPlan;
  readonly process: ManagedProcess;
}

export const supervisorDefaults: {
  readonly startTimeoutMs: number;
  readonly restartTimeoutMs: number;
  readonly trimLogsEveryMs: number;
} = Object.freeze({
  startTimeoutMs: 120_000,
  /** Of one instance in a rolling restart. */
  restartTimeoutMs: 60_000,
  trimLogsEveryMs: 30_000,
});

/**
 * One host's supervisor: starts, watches and restarts the host's share of a fleet. It holds no
 * data and serves no request; when it dies its children die.
 *
 * @throws TENFOLD_FLEET_ALREADY_RUNNING, TENFOLD_FLEET_PORT_TAKEN, TENFOLD_FLEET_DISK_FULL,
 * TENFOLD_FLEET_DATA_UNKNOWN, TENFOLD_FLEET_FOLDER_UNUSABLE, TENFOLD_FLEET_FRESH_REFUSED
 */
export async function createSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const { plan, fresh = false } = options;
  if (fresh) refuseFresh(plan);
  const lock = await takeDataFolder(plan, fresh);
  try {
    await checkPorts(plan, plannedPorts(plan));
    await mkdir(join(plan.dataFolder, "logs"), { recursive: true, mode: 0o700 });
    return new HostSupervisor(options, lock, fileStorage(plan.dataFolder));
  } catch (error) {
    lock.release();
    throw folderFailure(plan.dataFolder, error);
  }
}

class HostSupervisor implements Supervisor, AdminActions {
  readonly stopAsked: Promise<void>;
  readonly #options: SupervisorOptions;
  readonly #plan: FleetPlan;
  readonly #runtime: Runtime;
  readonly #lock: FolderLock;
  readonly #storage: Storage;
  readonly #events: EventLog;
  readonly #began: number;
  readonly #processes: readonly Supervised[];
  readonly #ended = new AbortController();
  #askStop: () => void = () => {};
  #coordinator: Coordinator | undefined;
  #membership: Membership | undefined;
  #stores: readonly ManagedStore[] = [];
  #admin: Server | undefined;
  #starting: Promise<void> | undefined;
  #rolling: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;

  constructor(options: SupervisorOptions, lock: FolderLock, storage: Storage) {
    this.#options = options;
    this.#plan = options.plan;
    this.#runtime = runtimeWith(options.runtime);
    this.#lock = lock;
    this.#storage = storage;
    this.#began = this.#runtime.clock.now();
    const file = join(options.plan.dataFolder, "events.jsonl");
    this.#events = createEventLog(file, this.#runtime.clock, options.onEvent ?? (() => {}));
    this.#processes = options.plan.processes.map((plan) => this.#supervise(plan));
    this.stopAsked = new Promise((resolve) => {
      this.#askStop = resolve;
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { startTimeoutMs } = supervisorDefaults;
    // Other hosts, and what they keep, may come hours later.
    const isAlone = this.#plan.hosts.length === 1;
    const tooLate = (): void => this.#ended.abort(this.#tooLate());
    const timer = isAlone ? this.#runtime.clock.setTimer(startTimeoutMs, tooLate) : undefined;
    try {
      this.#starting ??= this.#bringUp(AbortSignal.any([signal, this.#ended.signal]));
      await this.#starting;
    } finally {
      timer?.cancel();
    }
  }

  async #bringUp(signal: AbortSignal): Promise<void> {
    const plan = this.#plan;
    const token = await this.#join(signal);
    await this.#openAdmin(token);
    void this.#trimLogs();
    this.#stores = await Promise.all(plan.stores.map((each) => this.#manageStore(each, token)));
    await sideBySide(signal, [
      ...this.#stores.map((store) => (until: AbortSignal) => store.bringUp(until)),
      async (until) => {
        await this.#startKinds(["coordinator"], until);
        await publishMaps(plan, this.#stores, this.#connected(token), until);
        await this.#startKinds(["queue", "service", "gateway", "console", "registry"], until);
      },
    ]);
  }

  /** The fleet's token. Where others share the coordinator, this host takes its place first. */
  async #join(signal: AbortSignal): Promise<string> {
    const { plan, join, version, fresh = false } = this.#options;
    const [storage, runtime] = [this.#storage, this.#runtime];
    const { coordinator: endpoints, coordinatorAccess: access } = plan;
    if (access === undefined) return await fleetToken(storage);
    const coordinator = await connectFleetCoordinator(endpoints, access, runtime);
    this.#coordinator = coordinator;
    const onNotice = (message: string): void =>
      this.#events.add({ instance: "supervisor", kind: "notice", message, unexpected: true });
    const known = { plan, coordinator, storage, join, fresh, version, runtime, onNotice };
    this.#membership = await joinFleet(known, signal);
    return this.#membership.token;
  }

  #connected(token: string): Coordinator {
    const { coordinator: endpoints } = this.#plan;
    this.#coordinator ??= connectEtcd({ endpoints, token, runtime: this.#runtime });
    return this.#coordinator;
  }

  async #openAdmin(token: string): Promise<void> {
    const { address: host, adminPort: port } = this.#plan;
    const present = () => this.#membership?.hosts.current ?? new Map();
    const { clock } = this.#runtime;
    const ofFleet = fleetActions({ plan: this.#plan, token, ofHost: this, present, clock });
    const [ofHost, events, stopSoon] = [this, this.#events, () => this.#askStop()];
    this.#admin = await createAdminApi({ host, port, token, ofHost, ofFleet, stopSoon, events });
    const address = `http://${host}:${port}`;
    const { fleet, coordinator, coordinatorAccess: access } = this.#plan;
    const told = { address, pid: process.pid, fleet, coordinator, access };
    await this.#storage.write("supervisor.json", JSON.stringify(told));
  }

  async #manageStore(plan: StorePlan, secret: string): Promise<ManagedStore> {
    // Loaded by the one process that runs databases, not by everyone who imports this room.
    const { createManagedStore } = await import("./managed-store.ts");
    const store = await createManagedStore({
      plan,
      host: this.#plan.host,
      addresses: this.#plan.hosts.map(({ address }) => address),
      secret,
      logFolder: join(this.#plan.dataFolder, "logs"),
      resolveFrom: this.#options.resolveFrom,
      runtime: this.#runtime,
      onChange: (server, { state, message, unexpected }) =>
        this.#events.add({ instance: server, kind: state, message, unexpected }),
      onStep: (title) => this.#done(title),
    });
    await this.#storage.write(`store-${plan.name}.json`, JSON.stringify(store.connections));
    return store;
  }

  async #startKinds(kinds: readonly ProcessKind[], signal: AbortSignal): Promise<void> {
    const own = this.#ofKinds(kinds);
    for (const { process } of own) process.start();
    await Promise.all(
      own.map(async ({ process, plan }) => {
        await process.whenReady(signal);
        this.#done(plan.name);
      }),
    );
  }

  #ofKinds(kinds: readonly ProcessKind[]): readonly Supervised[] {
    return this.#processes.filter(({ plan }) => kinds.includes(plan.kind));
  }

  #supervise(own: ProcessPlan): Supervised {
    const { plan, fleetFile, program, version } = this.#options;
    const process = managedProgram({
      ...{ plan, own, fleetFile, program, version },
      runtime: this.#runtime,
      onChange: ({ state, message, unexpected }) =>
        this.#events.add({ instance: own.name, kind: state, message, unexpected }),
    });
    return { plan: own, process };
  }

  #done(title: string): void {
    this.#options.onStep?.({ title, atMs: this.#runtime.clock.now() - this.#began });
  }

  #tooLate(): TenfoldError {
    const waiting = this.status().instances.filter(({ state }) => state !== "ready");
    const names = waiting.map(({ name }) => name).join(", ");
    return new TenfoldError(
      "TENFOLD_FLEET_START_FAILED",
      `The fleet was not up after ${supervisorDefaults.startTimeoutMs / 1_000} s; not ready: ` +
        `${names}. Their logs are in ${join(this.#plan.dataFolder, "logs")}.`,
    );
  }

  status(): FleetStatus {
    const { fleet, host, zone, address } = this.#plan;
    const hosts = [{ name: host, zone, address, state: "up" as const }];
    const processes = this.#processes.map(({ plan, process }) => ({
      name: plan.name,
      service: plan.service,
      kind: plan.kind,
      host,
      address,
      port: plan.port,
      adminPort: plan.adminPort,
      ...process.status(),
    }));
    const servers = this.#stores.flatMap((store) =>
      store.servers.map(({ process, name, port }) => ({
        name,
        service: store.name,
        kind: "postgres",
        host,
        address,
        port,
        adminPort: undefined,
        ...process.status(),
      })),
    );
    return { fleet, host, zone, pid: process.pid, hosts, instances: [...processes, ...servers] };
  }

  kill(instance: string, signal: NodeJS.Signals): void {
    const process = this.#all().find(({ name }) => name === instance);
    if (process === undefined) {
      throw unknownName(
        instance,
        this.#all().map(({ name }) => name),
      );
    }
    this.#tell(instance, `${signal} on request`);
    if (process.signal(signal)) return;
    const message = `${instance} does not run just now: ${process.status().lastExit}.`;
    throw new TenfoldError("TENFOLD_FLEET_INSTANCE_DOWN", message, { retryable: true });
  }

  async restart(name: string): Promise<readonly string[]> {
    const own = this.#processes.filter(({ plan }) => plan.service === name || plan.name === name);
    if (own.length === 0) {
      const names = this.#processes.flatMap(({ plan }) => [plan.service, plan.name]);
      throw unknownName(name, [...new Set(names)]);
    }
    // In turn: two at once would take two instances of a service away.
    const turn = this.#rolling.then(async () => {
      this.#tell(name, "rolling restart");
      for (const { process } of own) await this.#restartOne(process);
      return own.map(({ plan }) => plan.name);
    });
    this.#rolling = turn.catch(() => {});
    return await turn;
  }

  async #restartOne(process: ManagedProcess): Promise<void> {
    const { restartTimeoutMs } = supervisorDefaults;
    const late = new AbortController();
    const timer = this.#runtime.clock.setTimer(restartTimeoutMs, () => {
      const message =
        `${process.name} was not ready ${restartTimeoutMs / 1_000} s after its restart: its log ` +
        "says why.";
      late.abort(new TenfoldError("TENFOLD_FLEET_START_FAILED", message));
    });
    try {
      await process.restart(AbortSignal.any([this.#ended.signal, late.signal]));
    } finally {
      timer.cancel();
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    this.#ended.abort();
    this.#tell("supervisor", "stopping");
    for (const kinds of [["gateway", "console", "registry"], ["service"], ["queue"]] as const) {
      await Promise.all(this.#ofKinds(kinds).map(({ process }) => process.stop()));
    }
    await Promise.all(this.#stores.map((store) => store.stop()));
    await this.#membership?.close();
    await this.#coordinator?.close();
    await Promise.all(this.#ofKinds(["coordinator"]).map(({ process }) => process.stop()));
    // A start that was broken off may still be writing; the folder is ours until it has ended.
    await this.#starting?.catch(() => {});
    this.#admin?.close();
    this.#admin?.closeAllConnections();
    await this.#events.close();
    await this.#storage.remove("supervisor.json").catch(() => {});
    this.#lock.release();
  }

  #all(): readonly ManagedProcess[] {
    const servers = this.#stores.flatMap((store) => store.servers);
    return [...this.#processes, ...servers].map(({ process }) => process);
  }

  #tell(instance: string, message: string): void {
    this.#events.add({ instance, kind: "request", message, unexpected: false });
  }

  async #trimLogs(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      for (const { name } of this.#all()) this.#trimLog(name);
      const { trimLogsEveryMs } = supervisorDefaults;
      await this.#runtime.clock.sleep(trimLogsEveryMs, { signal }).catch(() => {});
    }
  }

  #trimLog(name: string): void {
    try {
      trimChildLog(join(this.#plan.dataFolder, "logs", `${name}.log`));
    } catch (error) {
      this.#tell("supervisor", `the log of ${name} cannot be trimmed: ${errorText(error)}`);
    }
  }
}

/** Data of this host that others rely on, or follow, is no data to begin anew without them. */
function refuseFresh(plan: FleetPlan): void {
  const kept = dataKept(plan).filter(([, host]) => host === plan.host);
  if (plan.hosts.length === 1 || kept.length === 0) return;
  throw new TenfoldError(
    "TENFOLD_FLEET_FRESH_REFUSED",
    `Host "${plan.host}" keeps ${kept.map(([name]) => name).join(", ")} for the whole fleet, so ` +
      "--fresh here is not enough: stop all hosts, remove their data folders and the keys below " +
      `/tenfold/${plan.fleet}/ in the coordinator.`,
  );
}
