import type { Clock } from "../runtime/clock.ts";
import { errorReason, TenfoldError } from "../runtime/errors.ts";
import type { AdminActions, FleetStatus, HostStatus, InstanceStatus } from "./admin-api.ts";
import type { FleetPlan, HostPlan } from "./fleet-plan.ts";
import { type HostEntry, runsOf } from "./host-entry.ts";

export interface FleetActionsOptions {
  readonly plan: FleetPlan;
  readonly token: string;
  /** This host's own. */
  readonly ofHost: AdminActions;
  /** The hosts in the map, by name, as last heard. */
  readonly present: () => ReadonlyMap<string, HostEntry>;
  readonly clock: Pick<Clock, "setTimer">;
}

export const fleetActionsDefaults: {
  readonly stateTimeoutMs: number;
  readonly killTimeoutMs: number;
  readonly restartTimeoutMs: number;
} = Object.freeze({
  /** A host that died must not hold up the picture of the others. */
  stateTimeoutMs: 600,
  killTimeoutMs: 5_000,
  restartTimeoutMs: 300_000,
});

/** The admin API for the whole fleet: what another host runs, its supervisor is asked for. */
export function fleetActions(options: FleetActionsOptions): AdminActions {
  const { plan, ofHost } = options;
  const others = plan.hosts.filter(({ name }) => name !== plan.host);
  const hostOf = (name: string): HostPlan => {
    const host = hostOfProcess(plan, name);
    const found = others.find((each) => each.name === host);
    if (found !== undefined) return found;
    throw unknownName(name, namesOf(plan));
  };
  return {
    async status() {
      const own = ofHost.status();
      const states = await Promise.all(
        plan.hosts.map((host) => (host.name === plan.host ? own : stateOf(options, host))),
      );
      return {
        ...(await own),
        hosts: states.flatMap(({ hosts }) => hosts),
        instances: states.flatMap(({ instances }) => instances),
      };
    },
    async kill(instance, signal) {
      if (runsOf(plan).includes(instance)) return await ofHost.kill(instance, signal);
      const { killTimeoutMs } = fleetActionsDefaults;
      await ask(options, hostOf(instance), "POST", "kill", killTimeoutMs, { instance, signal });
    },
    async restart(name) {
      const hosts = hostsOf(plan, name);
      if (hosts.length === 0) throw unknownName(name, namesOf(plan));
      const restarted: string[] = [];
      // One host after the other: a service keeps all its instances but one.
      for (const host of hosts) {
        restarted.push(...(await restartOn(options, host, name)));
      }
      return restarted;
    },
  };
}

async function restartOn(
  options: FleetActionsOptions,
  host: HostPlan,
  name: string,
): Promise<readonly string[]> {
  if (host.name === options.plan.host) return await options.ofHost.restart(name);
  const { restartTimeoutMs } = fleetActionsDefaults;
  const body = { name };
  const answer = await ask(options, host, "POST", "restart", restartTimeoutMs, body);
  return (answer as { readonly restarted: readonly string[] }).restarted;
}

async function stateOf(
  options: FleetActionsOptions,
  host: HostPlan,
): Promise<Pick<FleetStatus, "hosts" | "instances">> {
  try {
    const { stateTimeoutMs } = fleetActionsDefaults;
    return (await ask(options, host, "GET", "state", stateTimeoutMs)) as FleetStatus;
  } catch {
    const { name, zone, address } = host;
    const state: HostStatus["state"] = options.present().has(name) ? "unreachable" : "away";
    return { hosts: [{ name, zone, address, state }], instances: awayOn(options.plan, host) };
  }
}

/** What a host that does not answer should run. */
function awayOn(plan: FleetPlan, { name: host, address }: HostPlan): InstanceStatus[] {
  const unknown = {
    host,
    address,
    state: "away" as const,
    pid: undefined,
    restarts: 0,
    startedAtMs: undefined,
    readyAtMs: undefined,
    lastExit: undefined,
  };
  const processes = plan.fleetProcesses
    .filter((each) => each.host === host)
    .map(({ name, service, kind, port, adminPort }) => {
      return { name, service, kind, port, adminPort, ...unknown };
    });
  const servers = plan.stores.flatMap(({ name: service, shards, hosts }) =>
    shards
      .flatMap((shard) => shard.servers)
      .filter(({ name }) => hosts.get(name) === host)
      .map(({ name, port }) => {
        return { name, service, kind: "postgres", port, adminPort: undefined, ...unknown };
      }),
  );
  return [...processes, ...servers];
}

function hostOfProcess(plan: FleetPlan, wanted: string): string | undefined {
  const process = plan.fleetProcesses.find(({ name }) => name === wanted);
  if (process !== undefined) return process.host;
  return plan.stores.map(({ hosts }) => hosts.get(wanted)).find((host) => host !== undefined);
}

function hostsOf(plan: FleetPlan, wanted: string): readonly HostPlan[] {
  const found = new Set(
    plan.fleetProcesses
      .filter(({ name, service }) => name === wanted || service === wanted)
      .map(({ host }) => host),
  );
  return plan.hosts.filter(({ name }) => found.has(name));
}

function namesOf(plan: FleetPlan): readonly string[] {
  const servers = plan.stores.flatMap(({ hosts }) => [...hosts.keys()]);
  return [...plan.fleetProcesses.map(({ name }) => name), ...servers];
}

/** The error for a name that nothing has. */
export function unknownName(name: string, names: readonly string[]): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_INSTANCE_UNKNOWN",
    `There is no "${name.slice(0, 60)}" here; there are: ${names.join(", ")}.`,
  );
}

async function ask(
  { token, clock }: FleetActionsOptions,
  { name, address, adminPort }: HostPlan,
  method: "GET" | "POST",
  action: string,
  timeoutMs: number,
  body?: object,
): Promise<unknown> {
  const url = `http://${address}:${adminPort}/v1/${action}?scope=host`;
  const late = new AbortController();
  const timer = clock.setTimer(timeoutMs, () => late.abort());
  let status: number;
  let answer: Record<string, unknown>;
  try {
    const response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      signal: late.signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    status = response.status;
    answer = Object(await response.json());
  } catch (cause) {
    throw new TenfoldError(
      "TENFOLD_FLEET_INSTANCE_DOWN",
      `The supervisor of host "${name}" does not answer at ${address}:${adminPort}: ` +
        `${errorReason(cause)}`,
      { cause, retryable: true },
    );
  } finally {
    timer.cancel();
  }
  if (status < 400) return answer;
  const { code, message } = Object(answer.error) as { code?: string; message?: string };
  throw new TenfoldError(
    (code ?? "TENFOLD_INTERNAL") as TenfoldError["code"],
    message ?? `The supervisor of host "${name}" answered ${status}.`,
  );
}
