import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { Clock } from "../../runtime/clock.ts";
import { TenfoldError } from "../../runtime/errors.ts";
import { type PgClientConfig, saidByServer, withClient } from "./client.ts";
import type { PostgresEngine } from "./engine.ts";
import { dataVersion, initialise } from "./initialise.ts";
import { seedStandby } from "./seed-standby.ts";
import { serverFailure } from "./server-failure.ts";
import { accessFile, accessRules, settingsFile, settingsText, slotName } from "./settings.ts";
import type { PostgresServerSpec } from "./shard-plan.ts";
import { clearStalePid, waitVacant } from "./stale-pid.ts";
import { replicationRole, superuserRole } from "./store-connections.ts";

/** How to start a server as a direct child; it dies with the process that spawns it. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
}

export interface ServerState {
  readonly role: "primary" | "standby";
  /** Does this standby receive from its primary? False for a primary. */
  readonly streaming: boolean;
}

interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

export interface WaitOptions extends Abortable {
  /** Default `serverDefaults.readyTimeoutMs`; Infinity waits until the signal. */
  readonly timeoutMs?: number | undefined;
  /** The server's end, if it ended meanwhile: makes the wait fail at once. */
  readonly failure?: (() => TenfoldError | undefined) | undefined;
}

export const serverDefaults: {
  readonly readyTimeoutMs: number;
  readonly readyPollMs: number;
  /** Of one question whether it answers. */
  readonly probeTimeoutMs: number;
  /** So many in a row in vain: it hangs. Fewer may be a machine with too much to do. */
  readonly probeMissesMax: number;
  readonly administrationTimeoutMs: number;
  readonly stopGraceMs: number;
} = Object.freeze({
  readyTimeoutMs: 60_000,
  readyPollMs: 25,
  probeTimeoutMs: 2_000,
  probeMissesMax: 8,
  administrationTimeoutMs: 30_000,
  stopGraceMs: 10_000,
});

/** One PostgreSQL server: what to do before it is spawned, how to spawn it, how to ask it. */
export interface PostgresServer {
  readonly spec: PostgresServerSpec;
  /** Fast shutdown: open transactions are rolled back, the WAL is flushed. */
  readonly stopSignal: "SIGINT";
  /** Send this when the stop signal did not end it within `serverDefaults.stopGraceMs`. */
  readonly forceSignal: "SIGQUIT";
  /** Has it data? @throws TENFOLD_POSTGRES_VERSION_MISMATCH */
  hasData(): Promise<boolean>;
  /** Makes an empty database. Only for a server without data. */
  initialise(options?: Abortable): Promise<void>;
  /** Copies a running server. Only for a server without data. */
  seed(from: PostgresServerSpec, options?: Abortable): Promise<void>;
  /** Removes its data; it must not run. */
  wipe(): Promise<void>;
  /** Writes its settings anew and waits for what a killed server left to be gone. */
  prepare(options?: Abortable): Promise<void>;
  /** The quick part of `prepare`, for a supervisor that starts it again after it ended. */
  clearStalePid(): void;
  command(): ServerCommand;
  /** Asks it with a real query. @throws TENFOLD_POSTGRES_UNAVAILABLE, TENFOLD_POSTGRES_REFUSED */
  state(): Promise<ServerState>;
  /** Does it answer queries? Never throws. */
  isReady(): Promise<boolean>;
  /** Does it answer at all, be it that it recovers or has no connection left? Never throws. */
  isAlive(): Promise<boolean>;
  /**
   * Waits until it answers, and a standby receives from its primary.
   * @throws TENFOLD_DEADLINE_EXCEEDED, or what `failure` says
   */
  waitReady(options?: WaitOptions): Promise<ServerState>;
  /** Why it ended, from the last lines of its log. */
  failure(log: string): TenfoldError;
  /** For administration on this machine. @param timeoutMs of connecting and of every query */
  superuser(database?: string, timeoutMs?: number): PgClientConfig;
}

/** @param follows where this server's primary is, for a standby */
export function postgresServer(
  engine: PostgresEngine,
  spec: PostgresServerSpec,
  follows: PostgresServerSpec | undefined,
): PostgresServer {
  const { pg, credentials, binaries, runAs } = engine;
  const { clock } = engine.runtime;
  const data = join(spec.folder, "data");

  const superuser: PostgresServer["superuser"] = (database, timeoutMs) =>
    superuserConfig(spec, credentials.superuser, database, timeoutMs);

  const state = (): Promise<ServerState> =>
    withClient(pg, superuser("postgres", serverDefaults.probeTimeoutMs), async (client) => {
      const { rows } = await client.query(
        `select pg_is_in_recovery() as standby,
                exists (select from pg_stat_wal_receiver where status = 'streaming') as streaming`,
      );
      const standby = rows[0]?.standby === true;
      return { role: standby ? "standby" : "primary", streaming: rows[0]?.streaming === true };
    });

  const isReady = (): Promise<boolean> =>
    state().then(
      () => true,
      () => false,
    );

  const isAlive = (): Promise<boolean> => state().then(() => true, saidByServer);

  const openFolder = async (): Promise<void> => {
    await mkdir(spec.folder, { recursive: true, mode: 0o700 });
    // The store's folder is ours to open; the server's user must be able to pass through it.
    if (runAs.way === "other-user") await chmod(dirname(spec.folder), 0o711);
  };

  const writeSettings = async (): Promise<void> => {
    const passwordFile = join(spec.folder, "replication.pgpass");
    await writeFile(passwordFile, `*:*:*:${replicationRole}:${credentials.replicator}\n`, {
      mode: 0o600,
    });
    const { address, port, name } = spec;
    const settings = { address, port, follows, passwordFile, slot: slotName(name) };
    await writeFile(join(data, settingsFile), settingsText(settings), { mode: 0o600 });
    await writeFile(join(data, accessFile), accessRules(engine.clients), { mode: 0o600 });
    await runAs.own(spec.folder);
  };

  return {
    spec,
    stopSignal: "SIGINT",
    forceSignal: "SIGQUIT",
    hasData: async () => (await dataVersion(spec.folder, runAs.major)) !== undefined,
    async initialise(options) {
      await openFolder();
      const { superuser: superuserPassword } = credentials;
      const { folder } = spec;
      await initialise({ folder, superuserPassword, binaries, runAs, signal: options?.signal });
    },
    async seed(from, options) {
      await openFolder();
      const source: PgClientConfig = {
        host: from.address,
        port: from.port,
        user: replicationRole,
        password: credentials.replicator,
        database: "replication",
        connectionTimeoutMillis: serverDefaults.administrationTimeoutMs,
      };
      const { name, folder } = spec;
      await seedStandby(pg, { name, folder, from: source, signal: options?.signal });
    },
    async wipe() {
      await waitVacant(data, clock);
      await rm(data, { recursive: true, force: true });
    },
    async prepare(options) {
      await waitVacant(data, clock, options?.signal);
      await writeSettings();
    },
    clearStalePid: () => void clearStalePid(data),
    command() {
      const { command, args, ...user } = runAs.invocation(binaries.postgres, ["-D", data]);
      const env = { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
      return { command, args, cwd: spec.folder, env, ...user };
    },
    state,
    isReady,
    isAlive,
    waitReady: (options) => waitReady(spec.name, state, clock, options),
    failure: (log) => serverFailure(spec.name, log),
    superuser,
  };
}

function superuserConfig(
  { address: host, port }: PostgresServerSpec,
  password: string,
  database = "postgres",
  timeoutMs = serverDefaults.administrationTimeoutMs,
): PgClientConfig {
  const timeouts = { connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs };
  return { host, port, user: superuserRole, password, database, ...timeouts };
}

async function waitReady(
  name: string,
  ask: () => Promise<ServerState>,
  clock: Clock,
  options: WaitOptions = {},
): Promise<ServerState> {
  const { timeoutMs = serverDefaults.readyTimeoutMs } = options;
  const deadline = clock.now() + timeoutMs;
  let last = "it did not answer";
  while (clock.now() < deadline) {
    const failure = options.failure?.();
    if (failure !== undefined) throw failure;
    try {
      const state = await ask();
      if (state.role === "primary" || state.streaming) return state;
      last = "it does not receive from its primary";
    } catch (error) {
      // Only a server that is not up yet is worth waiting for.
      if (!(error instanceof TenfoldError) || !error.retryable) throw error;
      last = error.message;
    }
    await clock.sleep(serverDefaults.readyPollMs, { signal: options.signal });
  }
  throw new TenfoldError(
    "TENFOLD_DEADLINE_EXCEEDED",
    `${name} was not ready after ${timeoutMs} ms: ${last}.`,
  );
}
