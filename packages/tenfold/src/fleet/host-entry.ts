import { createHash } from "node:crypto";

import { TenfoldError } from "../runtime/errors.ts";
import type { FleetPlan } from "./fleet-plan.ts";

/** What a host's supervisor says of itself in the coordinator, for the others and for people. */
export interface HostEntry {
  readonly host: string;
  /** Where its admin API is: `http://10.0.0.1:18000`. */
  readonly admin: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAtMs: number;
  /** Which data folder it runs on: drawn when the folder was made. */
  readonly folder: string;
  /** The processes that its fleet file gives it. */
  readonly runs: readonly string[];
  /** Digests of its fleet file, by part. */
  readonly parts: Readonly<Record<string, string>>;
}

const formatVersion = 1;

export function formatHostEntry(entry: HostEntry): string {
  return JSON.stringify({ format: formatVersion, ...entry });
}

/** @throws TENFOLD_FLEET_FILES_DIFFER for an entry that a newer Tenfold wrote */
export function parseHostEntry(text: string): HostEntry {
  const { format, ...entry } = JSON.parse(text) as HostEntry & { readonly format: unknown };
  if (format === formatVersion) return entry;
  throw new TenfoldError(
    "TENFOLD_FLEET_FILES_DIFFER",
    `A host's entry has format ${JSON.stringify(format)}; only ${formatVersion} is known here.`,
  );
}

/** The processes and servers that a plan gives to its host. */
export function runsOf(plan: FleetPlan): readonly string[] {
  const servers = plan.stores.flatMap(({ hosts }) =>
    [...hosts].flatMap(([name, host]) => (host === plan.host ? [name] : [])),
  );
  return [...plan.processes.map(({ name }) => name), ...servers];
}

/**
 * Digests of what a fleet file says, by part, so that two hosts can tell where their files differ.
 */
export function partsOf(plan: FleetPlan): Readonly<Record<string, string>> {
  const services = Map.groupBy(plan.fleetProcesses, ({ service }) => service);
  const stores = plan.stores.map(({ name, definition, shards, hosts }) => {
    const servers = shards.flatMap((shard) => shard.servers);
    const where = servers.map(({ name: id, port }) => [id, hosts.get(id), port]);
    return [`stores.${name}`, digest({ definition, where })] as const;
  });
  return Object.fromEntries([
    ["hosts", digest(plan.hosts)] as const,
    ...[...services].map(([name, processes]) => [name, digest(processes)] as const),
    ...stores,
  ]);
}

/** The parts in which two files differ, by name. */
export function differingParts(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): readonly string[] {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].filter((name) => a[name] !== b[name]).sort();
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}
