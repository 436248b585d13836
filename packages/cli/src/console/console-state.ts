/** The state that the console shows: what `/api/state.json` answers and `/api/stream` repeats. */
export interface ConsoleState {
  readonly fleet: string;
  /** Wall-clock milliseconds when this state was put together. */
  readonly timeMs: number;
  /** When the fleet came up, as far as anyone can tell. */
  readonly startedAtMs: number | undefined;
  readonly sources: { readonly supervisor: SourceState; readonly coordinator: SourceState };
  readonly totals: Totals;
  /** Empty until the supervisor was heard. */
  readonly hosts: readonly HostState[];
  readonly services: readonly ServiceState[];
  readonly instances: readonly InstanceState[];
  readonly links: readonly Link[];
  readonly queues: readonly QueueState[];
  /** The members map, by name. */
  readonly members: readonly MemberState[];
  /** The topology map. */
  readonly shards: readonly ShardState[];
  readonly placements: readonly PlacementState[];
  readonly settings: readonly SettingState[];
  /** Oldest first. A stream sends the whole history once, then what came since. */
  readonly history: readonly HistoryPoint[];
  /** Oldest first; as `history`. */
  readonly events: readonly FleetEvent[];
}

/**
 * up: its supervisor answers. unreachable: it is in the map of hosts, and does not answer. away: it
 * is not in the map either.
 */
export interface HostState {
  readonly name: string;
  readonly zone: string;
  readonly state: "up" | "unreachable" | "away";
}

/** Where facts come from, and since when they are old. */
export interface SourceState {
  readonly reachable: boolean;
  /** Milliseconds since it last answered; undefined when it never did. */
  readonly ageMs: number | undefined;
  readonly problem: string | undefined;
}

export interface Latency {
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Slowest of about the last minute. */
  readonly maxMs: number | undefined;
}

export interface Totals extends Latency {
  readonly requests: number;
  readonly perSecond: number;
  /** Failed client requests since the fleet started; never goes back. */
  readonly failed: number;
  /** Acknowledged and not found by the audit; undefined when no audit reports. */
  readonly lost: number | undefined;
  /** Acknowledged entries that the audit has looked for. */
  readonly audited: number | undefined;
}

export type ServiceRole =
  | "gateway"
  | "service"
  | "queue"
  | "worker"
  | "database"
  | "coordinator"
  | "console";

export interface ServiceState extends Latency {
  readonly name: string;
  readonly role: ServiceRole;
  readonly ready: number;
  readonly total: number;
  /** undefined when none of its instances measures calls. */
  readonly perSecond: number | undefined;
  readonly failuresPerSecond: number | undefined;
  readonly cpuRatio: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly restarts: number;
  /** May a person restart it one by one from here? */
  readonly restartable: boolean;
}

/** The supervisor's words, and `silent`: said to run, but its metrics have not answered lately. */
export type InstanceStatus =
  | "starting"
  | "ready"
  | "stopping"
  | "backoff"
  | "failed"
  | "stopped"
  | "silent";

export interface InstanceState {
  readonly name: string;
  readonly service: string;
  readonly role: ServiceRole;
  readonly host: string;
  readonly status: InstanceStatus;
  readonly version: string | undefined;
  readonly pid: number | undefined;
  readonly port: number | undefined;
  readonly perSecond: number | undefined;
  readonly cpuRatio: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly eventLoopMs: number | undefined;
  readonly restarts: number;
  readonly startedAtMs: number | undefined;
  readonly lastExit: string | undefined;
  /** When it last ended without being asked to, wall clock. */
  readonly brokeAtMs: number | undefined;
  /** May a person kill it from here? Only what the supervisor runs. */
  readonly killable: boolean;
}

/** An instance's name is its own within its service alone. */
export function instanceKey(service: string, name: string): string {
  return `${service}/${name}`;
}

/** Calls from one service to another, or to a store or queue owner. */
export interface Link {
  readonly from: string;
  readonly to: string;
  /** undefined: known from the fleet file, not measured. */
  readonly perSecond: number | undefined;
}

export interface QueueState {
  /** The service that owns it. */
  readonly service: string;
  readonly ready: number;
  readonly leased: number;
  readonly delayed: number;
  readonly dead: number;
  readonly accepted: number;
  readonly done: number;
  readonly oldestSeconds: number;
  readonly acceptedPerSecond: number;
  readonly donePerSecond: number;
}

/** An instance as it is registered. */
export interface MemberState {
  readonly name: string;
  readonly service: string;
  readonly host: string;
  readonly zone: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: string;
  readonly version: string;
  readonly weight: number;
  /** What it says of itself, some seconds old; utilisation 0 … 1. */
  readonly load: { readonly utilisation: number; readonly requests: number } | undefined;
  readonly startedAtMs: number;
  /** It was registered over REST and lives by its heartbeats. */
  readonly ttlMs: number | undefined;
}

export interface SettingState {
  readonly name: string;
  readonly description: string | undefined;
  /** As people read it; undefined when it cannot be told. */
  readonly value: string | undefined;
  /** Why processes do not heed it. */
  readonly problem: string | undefined;
  /** The newest first; empty: never changed. */
  readonly changes: readonly SettingChangeState[];
}

export interface SettingChangeState {
  readonly number: number;
  /** undefined: back to the default. */
  readonly value: string | undefined;
  readonly by: string;
  readonly atMs: number;
  readonly why: string;
}

export interface ShardState {
  readonly store: string;
  readonly shard: string;
  readonly epoch: number;
  readonly primary: string;
  readonly standbys: readonly string[];
}

export interface PlacementState {
  readonly store: string;
  readonly slots: number;
  /** First and last slot of each run, both inclusive, in order. */
  readonly ranges: readonly SlotRange[];
}

export interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly shard: string;
}

export interface HistoryPoint extends Latency {
  readonly timeMs: number;
  readonly perSecond: number;
  readonly failuresPerSecond: number;
}

export interface FleetEvent {
  /** The console's own number: grows by one an event. */
  readonly number: number;
  readonly timeMs: number;
  readonly kind: string;
  readonly instance: string;
  readonly message: string;
  /** Did something end that should not have? */
  readonly unexpected: boolean;
}
