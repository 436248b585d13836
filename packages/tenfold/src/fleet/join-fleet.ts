import { randomUUID } from "node:crypto";

import type { Coordinator, Entry, Session } from "../coordination/coordinator.ts";
import { createKeptSession, type KeptSession } from "../coordination/kept-session.ts";
import { type FleetKeys, fleetKeys } from "../coordination/keys.ts";
import { type WatchedMap, watchedMap } from "../coordination/watched-map.ts";
import { errorText, TenfoldError } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Storage } from "../runtime/storage.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import {
  forgetToken,
  isToken,
  keepToken,
  keptToken,
  makeToken,
  tokenDigest,
} from "./fleet-token.ts";
import { checkHomes } from "./homes.ts";
import {
  differingParts,
  formatHostEntry,
  type HostEntry,
  parseHostEntry,
  partsOf,
  runsOf,
} from "./host-entry.ts";
import { putOnce } from "./put-once.ts";
import { sameSecret } from "./trust.ts";

export interface JoinOptions {
  readonly plan: FleetPlan;
  readonly coordinator: Coordinator;
  readonly storage: Storage;
  /** The fleet's token, for a host that was not in the fleet before. */
  readonly join: string | undefined;
  /** The folder was emptied: a fleet that is this host alone begins anew, keys and token. */
  readonly fresh: boolean;
  readonly version: string;
  readonly runtime: Runtime;
  /** Something that people should know. */
  readonly onNotice: (text: string) => void;
}

/** This host's place among the hosts of a fleet. */
export interface Membership {
  readonly token: string;
  /** The hosts whose supervisor is there, as last heard. */
  readonly hosts: WatchedMap<HostEntry>;
  /** Takes this host out of the map. Idempotent, never throws. */
  close(): Promise<void>;
}

export const joinDefaults: {
  readonly timeoutMs: number;
  readonly retryEveryMs: number;
  readonly claimEveryMs: number;
} = Object.freeze({
  /** How long a coordinator that does not answer is waited for. */
  timeoutMs: 30_000,
  retryEveryMs: 500,
  /** How often a host that lost its session, and finds another in its place, looks again. */
  claimEveryMs: 2_000,
});

/**
 * Takes a host's place in its fleet: one supervisor a host, which shows the fleet's token and runs
 * nothing that another host runs or keeps. What is refused has changed nothing.
 *
 * @throws TENFOLD_COORDINATION_UNAVAILABLE, TENFOLD_COORDINATION_REFUSED,
 * TENFOLD_FLEET_JOIN_REFUSED, TENFOLD_FLEET_ALREADY_RUNNING, TENFOLD_FLEET_FILES_DIFFER,
 * TENFOLD_FLEET_STORE_CHANGED, TENFOLD_FLEET_DATA_MISSING
 */
export async function joinFleet(given: JoinOptions, signal: AbortSignal): Promise<Membership> {
  const { plan, coordinator, runtime } = given;
  // What the fleet keeps is the other hosts' too, whatever became of this folder.
  const options = { ...given, fresh: given.fresh && plan.hosts.length === 1 };
  const keys = fleetKeys(plan.fleet);
  const entry = await entryOf(options);
  const session = createKeptSession(coordinator, { runtime });
  try {
    const patient = patience(options, signal);
    await patient(() => refuseStranger(options, keys, signal));
    await claimHost(options, keys, entry, await session.opened({ signal }), signal);
    if (options.fresh) await patient(() => beginAnew(coordinator, keys, signal));
    const token = await settleToken(options, keys, signal);
    await patient(() => compareFiles(options, keys, entry, signal));
    await patient(() => checkHomes({ coordinator, keys, plan, folder: entry.folder, signal }));
    const stopKeeping = keepEntry(options, keys, entry, session);
    const hosts = watchedMap(coordinator, keys.hosts(), parseHostEntry, { runtime });
    return {
      token,
      hosts,
      async close() {
        stopKeeping();
        hosts.close();
        await session.close();
      },
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

async function entryOf({ plan, storage, version, runtime }: JoinOptions): Promise<HostEntry> {
  await storage.create("folder-id", randomUUID());
  const folder = Buffer.from((await storage.read("folder-id")) ?? []).toString();
  return {
    host: plan.host,
    admin: `http://${plan.address}:${plan.adminPort}`,
    pid: process.pid,
    version,
    startedAtMs: runtime.clock.wallNow(),
    folder,
    runs: runsOf(plan),
    parts: partsOf(plan),
  };
}

/** Repeats what a coordinator that is away cannot answer, and tells of it once. */
function patience({ plan, runtime, onNotice }: JoinOptions, signal: AbortSignal) {
  const { clock } = runtime;
  const deadline = clock.now() + joinDefaults.timeoutMs;
  let told = false;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const again = error instanceof TenfoldError && error.retryable && clock.now() < deadline;
        if (!again || signal.aborted) throw error;
        if (!told) onNotice(`waiting for the coordinator at ${plan.coordinator}`);
        told = true;
        await clock.sleep(joinDefaults.retryEveryMs, { signal });
      }
    }
  };
}

/**
 * One supervisor a host. What one on this folder left behind is taken over at once: the folder's
 * lock is ours, so it is dead.
 */
async function claimHost(
  { coordinator, plan }: JoinOptions,
  keys: FleetKeys,
  entry: HostEntry,
  session: Session,
  signal?: AbortSignal,
): Promise<void> {
  const key = keys.hosts(plan.host);
  const value = formatHostEntry(entry);
  let found: Entry | undefined;
  for (;;) {
    const state = found
      ? ({ key, revision: found.revision } as const)
      : ({ key, is: "absent" } as const);
    const result = await coordinator.transact(
      { when: [state], change: [{ put: key, value, session }], otherwiseRead: [key] },
      { signal },
    );
    if (result.outcome === "applied") return;
    const read = result.outcome === "refused" ? result.reads[0] : await coordinator.get(key);
    if (read?.value === value && read.sessionId === session.id) return;
    const other = read && parseHostEntry(read.value);
    if (other !== undefined && other.folder !== entry.folder) throw hostTaken(other);
    found = read;
  }
}

function hostTaken({ host, admin, pid }: HostEntry): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_ALREADY_RUNNING",
    `A supervisor of host "${host}" already runs, as process ${pid} at ${admin}, on another data ` +
      "folder. Stop it first; one that has died is forgotten within seconds.",
  );
}

/** Removes what the fleet kept, but for who is there and numbers that must not repeat. */
async function beginAnew(
  coordinator: Coordinator,
  keys: FleetKeys,
  signal: AbortSignal,
): Promise<void> {
  const { entries } = await coordinator.list(keys.all(), { signal });
  for (const { key, sessionId } of entries) {
    if (sessionId !== undefined || key.startsWith(keys.numbers())) continue;
    await coordinator.transact({ change: [{ delete: key }] }, { signal });
  }
}

/** Who cannot show the fleet's token learns nothing more of it. */
async function refuseStranger(
  { coordinator, storage, join, fresh }: JoinOptions,
  keys: FleetKeys,
  signal: AbortSignal,
): Promise<void> {
  if (join !== undefined && !isToken(join)) throw joinRefused("what it was given is no token");
  const known = await coordinator.get(keys.joinToken(), { signal });
  if (known === undefined || fresh) return;
  const had = join ?? (await keptToken(storage));
  if (had === undefined) throw joinRefused("it was given none");
  if (!sameSecret(known.value, tokenDigest(had))) throw joinRefused("the one it has is another");
}

/** The token that this host was given, has, or makes, shown against the fleet's digest. */
async function settleToken(
  { coordinator, storage, join }: JoinOptions,
  keys: FleetKeys,
  signal: AbortSignal,
): Promise<string> {
  const kept = await keptToken(storage);
  const had = join ?? kept;
  const token = had ?? (await makeToken(storage));
  const digest = await putOnce(coordinator, keys.joinToken(), tokenDigest(token), signal);
  if (!sameSecret(digest, tokenDigest(token))) {
    // Another host was first, a moment ago: what was made here is nobody's token.
    if (had === undefined) await forgetToken(storage);
    throw joinRefused(had === undefined ? "it was given none" : "the one it has is another");
  }
  if (kept !== token) await keepToken(storage, token);
  return token;
}

function joinRefused(why: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_JOIN_REFUSED",
    `The fleet has a token, which a host must show to join, and ${why}. The first host keeps it ` +
      "as `token` in its data folder: give it by --join file:PATH or env:NAME.",
  );
}

/** Other files are told of; one by which something would run twice is refused. */
async function compareFiles(
  { coordinator, plan, onNotice }: JoinOptions,
  keys: FleetKeys,
  own: HostEntry,
  signal: AbortSignal,
): Promise<void> {
  const { entries } = await coordinator.list(keys.hosts(), { signal });
  const others = entries
    .map(({ value }) => parseHostEntry(value))
    .filter(({ host }) => host !== plan.host);
  for (const other of others) {
    const twice = own.runs.filter((name) => other.runs.includes(name));
    const parts = differingParts(own.parts, other.parts);
    if (twice.length > 0) throw filesDiffer(other.host, twice, parts);
    if (parts.length === 0) continue;
    onNotice(`the fleet file of host ${other.host} is another in: ${parts.join(", ")}`);
  }
}

function filesDiffer(
  host: string,
  twice: readonly string[],
  parts: readonly string[],
): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_FILES_DIFFER",
    `By its fleet file host "${host}" runs ${twice.join(", ")}, by this one this host does; they ` +
      `differ in: ${parts.join(", ")}. Give both the same file, and start "${host}" again first.`,
  );
}

/** Puts the host's entry again with every new session. */
function keepEntry(
  options: JoinOptions,
  keys: FleetKeys,
  entry: HostEntry,
  kept: KeptSession,
): () => void {
  const { clock } = options.runtime;
  const keep = async (session: Session): Promise<void> => {
    let told = false;
    while (!session.signal.aborted) {
      try {
        return await claimHost(options, keys, entry, session, session.signal);
      } catch (error) {
        if (!told) options.onNotice(`not in the map of hosts: ${errorText(error)}`);
        told = true;
      }
      const { claimEveryMs } = joinDefaults;
      await clock.sleep(claimEveryMs, { signal: session.signal }).catch(() => {});
    }
  };
  return kept.onOpen((session) => void keep(session));
}
