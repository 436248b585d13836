import type { Member } from "tenfold/discovery";

import {
  type InstanceState,
  type InstanceStatus,
  instanceKey,
  type ServiceRole,
  type ServiceState,
} from "./console-state.ts";
import type { FleetFigures, InstanceFigures } from "./fleet-figures.ts";

/** One process, as the supervisor's `GET /v1/state` tells it. */
export interface SupervisedInstance {
  readonly name: string;
  readonly service: string;
  readonly kind: string;
  /** away: the supervisor of its host does not answer. */
  readonly state: Exclude<InstanceStatus, "silent"> | "away";
  readonly host?: string;
  readonly address?: string;
  readonly pid?: number | null;
  readonly port?: number | null;
  readonly adminPort?: number | null;
  readonly restarts: number;
  readonly startedAtMs?: number | null;
  readonly readyAtMs?: number | null;
  readonly lastExit?: string | null;
}

export interface InstanceTableInput {
  readonly nowMs: number;
  readonly timeMs: number;
  /** The host whose supervisor we ask. */
  readonly host: string;
  readonly supervisorReachable: boolean;
  readonly supervised: readonly SupervisedInstance[];
  readonly members: readonly Member[];
  readonly figures: FleetFigures;
  /** When an instance last ended without being asked to. */
  readonly brokeAtMs: (instance: string) => number | undefined;
}

export const instanceTableDefaults: { readonly silentAfterMs: number } = Object.freeze({
  /** Three missed scrapes: longer than a pause of garbage collection. */
  silentAfterMs: 3_000,
});

/** Everything that runs, whoever knows of it: the supervisor, the members map, or both. */
export function instanceTable(input: InstanceTableInput): readonly InstanceState[] {
  const members = new Map(input.members.map((member) => [keyOf(member), member]));
  const supervised = new Set(
    input.supervised.map(({ service, name }) => instanceKey(service, name)),
  );
  const elsewhere = input.members.filter((member) => !supervised.has(keyOf(member)));
  const memberOf = ({ service, name }: SupervisedInstance): Member | undefined =>
    members.get(instanceKey(service, name));
  return [
    ...input.supervised.map((one) => fromSupervisor(one, memberOf(one), input)),
    ...elsewhere.map((member) => fromMember(member, input)),
  ].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

function keyOf({ service, id }: Member): string {
  return instanceKey(service, id);
}

function fromSupervisor(
  one: SupervisedInstance,
  member: Member | undefined,
  input: InstanceTableInput,
): InstanceState {
  const figures = input.figures.instance(one.service, one.name);
  const role = roleOf(one.service, one.kind);
  return {
    name: one.name,
    // A store may be named as a service is.
    service: role === "database" ? `store/${one.service}` : one.service,
    role,
    host: member?.host ?? one.host ?? input.host,
    status: supervisedStatus(one, figures, input),
    version: member?.version,
    pid: one.pid ?? undefined,
    port: one.port ?? undefined,
    restarts: one.restarts,
    startedAtMs: one.startedAtMs ?? undefined,
    lastExit: one.lastExit ?? undefined,
    brokeAtMs: input.brokeAtMs(one.name),
    killable: input.supervisorReachable && typeof one.pid === "number",
    ...measured(figures, role),
  };
}

function fromMember(member: Member, input: InstanceTableInput): InstanceState {
  const figures = input.figures.instance(member.service, member.id);
  const role = roleOf(member.service, "service");
  return {
    name: member.id,
    service: member.service,
    role,
    host: member.host,
    // What has no metrics has none to fall silent with: its entry is all that is known.
    status:
      member.adminPort !== undefined && isSilent(figures, member.startedAtMs, input)
        ? "silent"
        : "ready",
    version: member.version,
    pid: member.pid,
    port: member.port,
    restarts: 0,
    startedAtMs: member.startedAtMs,
    lastExit: undefined,
    brokeAtMs: undefined,
    killable: false,
    ...measured(figures, role),
  };
}

/** Without a supervisor its last word stands, except where the metrics know better. */
function supervisedStatus(
  one: SupervisedInstance,
  figures: InstanceFigures | undefined,
  input: InstanceTableInput,
): InstanceStatus {
  if (one.state === "away") return "silent";
  // What never showed metrics has none to fall silent with.
  if (figures === undefined) return one.state;
  const silent = isSilent(figures, one.readyAtMs ?? undefined, input);
  if (input.supervisorReachable) return one.state === "ready" && silent ? "silent" : one.state;
  return silent ? "silent" : "ready";
}

function isSilent(
  figures: InstanceFigures | undefined,
  readyAtMs: number | undefined,
  { nowMs, timeMs }: InstanceTableInput,
): boolean {
  const { silentAfterMs } = instanceTableDefaults;
  if (readyAtMs !== undefined && timeMs - readyAtMs < silentAfterMs) return false;
  return figures === undefined || nowMs - figures.scrapedMs > silentAfterMs;
}

type Measured = Pick<InstanceState, "perSecond" | "cpuRatio" | "memoryBytes" | "eventLoopMs">;

function measured(figures: InstanceFigures | undefined, role: ServiceRole): Measured {
  const { window, sample } = figures ?? {};
  const counter = role === "worker" ? "jobs" : "requests";
  const counts = sample?.serves === true || role === "worker";
  return {
    perSecond: counts ? window?.perSecond(counter) : undefined,
    cpuRatio: window?.perSecond("cpuSeconds"),
    memoryBytes: sample?.memoryBytes,
    eventLoopMs: sample?.eventLoopMs,
  };
}

/** The part that a service plays in the picture. */
export function roleOf(service: string, kind: string): ServiceRole {
  if (kind === "postgres") return "database";
  for (const role of ["gateway", "coordinator", "console"] as const) {
    if (kind === role || service === role) return role;
  }
  if (kind === "queue" || service.startsWith("queue-")) return "queue";
  return service === "worker" || service.endsWith("-worker") ? "worker" : "service";
}

/** Instances by service, with what the service measures as a whole. */
export function serviceTable(
  instances: readonly InstanceState[],
  figures: FleetFigures,
  supervisorReachable: boolean,
): readonly ServiceState[] {
  const groups = Map.groupBy(instances, ({ service }) => service);
  const table = [...groups].map(([name, all]) => {
    const role = (all[0] as InstanceState).role;
    const ofOurs = role !== "database" && role !== "coordinator";
    const calls = figures.service(name);
    return {
      name,
      role,
      ...calls,
      perSecond: role === "worker" ? total(all.map((one) => one.perSecond)) : calls.perSecond,
      ready: all.filter(({ status }) => status === "ready").length,
      total: all.length,
      cpuRatio: total(all.map(({ cpuRatio }) => cpuRatio)),
      memoryBytes: total(all.map(({ memoryBytes }) => memoryBytes)),
      restarts: all.reduce((sum, { restarts }) => sum + restarts, 0),
      restartable: ofOurs && supervisorReachable && all.some(({ killable }) => killable),
    };
  });
  return table.sort((a, b) => roleOrder.indexOf(a.role) - roleOrder.indexOf(b.role));
}

const roleOrder: readonly ServiceRole[] = [
  "gateway",
  "service",
  "queue",
  "worker",
  "database",
  "coordinator",
  "console",
];

function total(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0);
}
