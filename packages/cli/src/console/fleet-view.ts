import type { Member } from "tenfold/discovery";

import type { SavedTotals } from "./client-totals.ts";
import type {
  ConsoleState,
  HostState,
  Link,
  MemberState,
  PlacementState,
  SettingState,
  ShardState,
  SourceState,
} from "./console-state.ts";
import { eventBook, type SupervisorEvent } from "./event-book.ts";
import { type FleetFigures, fleetFigures } from "./fleet-figures.ts";
import { instanceTable, type SupervisedInstance, serviceTable } from "./instance-table.ts";

/** The supervisor's `GET /v1/state`. */
export interface SupervisorState {
  readonly fleet: string;
  readonly host: string;
  readonly hosts?: readonly HostState[];
  readonly instances: readonly SupervisedInstance[];
  /** Of the supervisor: another one is another run of the fleet. */
  readonly pid?: number;
}

/**
 * What the fleet file says about who calls whom: service to the names of services, queues'
 * owners (`queue-posts`) and stores (`store/posts`).
 */
export type Wiring = Readonly<Record<string, readonly string[]>>;

/** Since when something was said. */
export interface Change {
  readonly newerThanMs: number;
  readonly afterEvent: number;
}

/** All that the console knows, kept when its sources fall silent. Fed with time; reads no clock. */
export interface FleetView {
  readonly figures: FleetFigures;
  supervisorAnswered(state: SupervisorState, nowMs: number): void;
  supervisorFailed(problem: string): void;
  happened(events: readonly SupervisorEvent[]): void;
  coordinatorAnswered(nowMs: number): void;
  coordinatorFailed(problem: string): void;
  members(members: readonly Member[]): void;
  shards(shards: readonly ShardState[]): void;
  placements(placements: readonly PlacementState[]): void;
  settings(settings: readonly SettingState[]): void;
  /** Everything; of history and events only what is newer than `since`, if given. */
  state(nowMs: number, timeMs: number, since?: Change): ConsoleState;
  readonly knownMembers: readonly Member[];
  readonly supervised: SupervisorState | undefined;
}

interface Source {
  answeredMs: number | undefined;
  problem: string | undefined;
}

/** @param saved what an earlier process of the console had counted in this run of the fleet */
export function fleetView(
  fleet: string,
  host: string,
  wiring: Wiring = {},
  saved?: SavedTotals,
): FleetView {
  const figures = fleetFigures(saved);
  const book = eventBook();
  const supervisor: Source = { answeredMs: undefined, problem: "has not answered yet" };
  const coordinator: Source = { answeredMs: undefined, problem: "has not answered yet" };
  let supervised: SupervisorState | undefined;
  let members: readonly Member[] = [];
  let shards: readonly ShardState[] = [];
  let placements: readonly PlacementState[] = [];
  let settings: readonly SettingState[] = [];
  let firstStartMs = Number.POSITIVE_INFINITY;

  return {
    figures,
    get knownMembers() {
      return members;
    },
    get supervised() {
      return supervised;
    },
    supervisorAnswered(state, nowMs) {
      supervised = state;
      answered(supervisor, nowMs);
      const starts = state.instances.flatMap(({ startedAtMs }) => startedAtMs ?? []);
      firstStartMs = Math.min(firstStartMs, ...starts);
    },
    supervisorFailed(problem) {
      supervisor.problem = problem;
    },
    happened: (events) => book.add(events),
    coordinatorAnswered: (nowMs) => answered(coordinator, nowMs),
    coordinatorFailed(problem) {
      coordinator.problem = problem;
    },
    members(all) {
      members = all;
      firstStartMs = Math.min(firstStartMs, ...all.map(({ startedAtMs }) => startedAtMs));
    },
    shards(all) {
      shards = all;
    },
    placements(all) {
      placements = all;
    },
    settings(all) {
      settings = all;
    },
    state(nowMs, timeMs, since) {
      const supervisorReachable = supervisor.problem === undefined;
      const instances = instanceTable({
        nowMs,
        timeMs,
        host: supervised?.host ?? host,
        supervisorReachable,
        supervised: supervised?.instances ?? [],
        members,
        figures,
        brokeAtMs: (name) =>
          book.events.findLast(({ instance, unexpected }) => unexpected && instance === name)
            ?.timeMs,
      });
      return {
        fleet: supervised?.fleet ?? fleet,
        timeMs,
        startedAtMs: Number.isFinite(firstStartMs) ? firstStartMs : undefined,
        sources: {
          supervisor: sourceState(supervisor, nowMs),
          coordinator: sourceState(coordinator, nowMs),
        },
        totals: figures.totals(),
        hosts: supervised?.hosts ?? [],
        services: serviceTable(instances, figures, supervisorReachable),
        instances,
        links: mergedLinks(wiring, figures.links()),
        queues: figures.queues(),
        members: members.toSorted(byName).map(memberState),
        shards,
        placements,
        settings,
        history: figures.history.filter(({ timeMs: at }) => at > (since?.newerThanMs ?? 0)),
        events: book.events.filter(({ number }) => number > (since?.afterEvent ?? 0)),
      };
    },
  };
}

function byName(a: Member, b: Member): number {
  return a.id.localeCompare(b.id, "en", { numeric: true });
}

function memberState(member: Member): MemberState {
  const { id, service, host, zone, address, port, protocol, version } = member;
  const { weight, load, startedAtMs, ttlMs } = member;
  const where = { host, zone, address, port, protocol };
  return { name: id, service, ...where, version, weight, load, startedAtMs, ttlMs };
}

function answered(source: Source, nowMs: number): void {
  source.answeredMs = nowMs;
  source.problem = undefined;
}

function sourceState({ answeredMs, problem }: Source, nowMs: number): SourceState {
  return {
    reachable: problem === undefined,
    ageMs: answeredMs === undefined ? undefined : Math.round(nowMs - answeredMs),
    problem,
  };
}

/** What was measured, and what the fleet file knows and nobody measures. */
function mergedLinks(wiring: Wiring, measured: readonly Link[]): readonly Link[] {
  const known = new Set(measured.map(({ from, to }) => `${from} ${to}`));
  const wired = Object.entries(wiring).flatMap(([from, targets]) =>
    targets
      .filter((to) => !known.has(`${from} ${to}`))
      .map((to) => ({ from, to, perSecond: undefined })),
  );
  return [...measured, ...wired];
}
