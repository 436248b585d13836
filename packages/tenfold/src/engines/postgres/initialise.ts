import { execFile } from "node:child_process";
import { appendFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { abortError, TenfoldError } from "../../runtime/errors.ts";
import type { PostgresBinaries } from "./binaries.ts";
import type { RunAs } from "./run-as.ts";
import { serverFailure } from "./server-failure.ts";
import { settingsFile } from "./settings.ts";
import { superuserRole } from "./store-connections.ts";

export interface InitialiseOptions {
  /** The server's folder; the database becomes `data` below it. */
  readonly folder: string;
  readonly superuserPassword: string;
  readonly binaries: PostgresBinaries;
  readonly runAs: RunAs;
  readonly signal?: AbortSignal | undefined;
}

const initdbTimeoutMs = 60_000;

/**
 * Makes a new database: UTF-8, locale C, checksums, scram for everybody. It is made under another
 * name and renamed when it is whole, so what is called `data` can always be started.
 *
 * @throws TENFOLD_POSTGRES_FAILED, TENFOLD_POSTGRES_DISK_FULL, TENFOLD_POSTGRES_PRIVILEGES
 */
export async function initialise(options: InitialiseOptions): Promise<void> {
  const { folder, runAs } = options;
  const partial = join(folder, "data.partial");
  const passwordFile = join(folder, "initdb.password");
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { mode: 0o700 });
  try {
    await writeFile(passwordFile, options.superuserPassword, { mode: 0o600 });
    await runAs.own(folder);
    await runInitdb(options, [
      `--pgdata=${partial}`,
      `--username=${superuserRole}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--no-instructions",
    ]);
  } finally {
    await rm(passwordFile, { force: true });
  }
  await appendFile(join(partial, "postgresql.conf"), `\ninclude_if_exists = '${settingsFile}'\n`);
  await rename(partial, join(folder, "data"));
}

/**
 * The major version that made a server's data; undefined when it has none yet.
 * @throws TENFOLD_POSTGRES_VERSION_MISMATCH when the binaries are of another
 */
export async function dataVersion(folder: string, major: number): Promise<number | undefined> {
  const data = join(folder, "data");
  const text = await readFile(join(data, "PG_VERSION"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  if (Number(text) === major) return major;
  throw new TenfoldError(
    "TENFOLD_POSTGRES_VERSION_MISMATCH",
    `${data} was made by PostgreSQL ${text.trim()}, the installed program is ${major}.`,
  );
}

function runInitdb(options: InitialiseOptions, args: readonly string[]): Promise<void> {
  const run = options.runAs.invocation(options.binaries.initdb, args);
  const user = run.uid === undefined ? {} : { uid: run.uid, gid: run.gid };
  const { folder: cwd, signal } = options;
  const settings = { ...user, cwd, timeout: initdbTimeoutMs, ...(signal && { signal }) };
  return new Promise((resolve, reject) => {
    execFile(run.command, [...run.args], settings, (error, stdout, stderr) => {
      if (error === null) resolve();
      else if (signal?.aborted) reject(abortError(signal));
      else reject(serverFailure("initdb", `${stdout}\n${stderr}\n${error.message}`));
    });
  });
}
