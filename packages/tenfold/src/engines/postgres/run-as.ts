import { execFile } from "node:child_process";
import { chown, lstat, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { TenfoldError } from "../../runtime/errors.ts";
import type { PostgresBinaries } from "./binaries.ts";

export interface Invocation {
  readonly command: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

/** A way of running PostgreSQL, which refuses to run as root, or as a user without a name. */
export interface RunAs {
  readonly way: "direct" | "user-namespace" | "other-user";
  /** The server's major version, read from the probe. */
  readonly major: number;
  /** A command line that ends in `program`: same pid, signals pass, dies with its parent. */
  invocation(program: string, args: readonly string[]): Invocation;
  /**
   * Hands files of ours to the server's user. Every parent of `path` must be open to it.
   * @throws TENFOLD_POSTGRES_PRIVILEGES naming the folder that is closed
   */
  own(path: string): Promise<void>;
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

interface Candidate {
  readonly way: RunAs["way"];
  readonly prefix: readonly string[];
  readonly user?: User;
}

// Inside the namespace, or after taking on the user: a change of credentials clears the signal.
const dieWithParent = ["setpriv", "--pdeathsig", "KILL"];
const probeTimeoutMs = 10_000;

/**
 * Finds the way by really running `postgres --version`: directly when we are not root; else in a
 * user namespace, where files of ours belong to the server; else as the user nobody.
 *
 * @throws TENFOLD_POSTGRES_PRIVILEGES when no way works, with what each of them said
 */
export async function findRunAs(binaries: PostgresBinaries): Promise<RunAs> {
  const refusals: string[] = [];
  for (const candidate of await candidates()) {
    for (const wrap of [dieWithParent, []]) {
      const run = runAs(candidate, wrap);
      const outcome = await probe(run(binaries.postgres, ["--version"]));
      const major = /PostgreSQL\D*(\d+)/.exec(outcome.output)?.[1];
      if (outcome.ok && major !== undefined) {
        const { way, user } = candidate;
        return { way, major: Number(major), invocation: run, own: (path) => own(path, user) };
      }
      refusals.push(`${candidate.way}${wrap.length > 0 ? " with setpriv" : ""}: ${outcome.output}`);
    }
  }
  throw new TenfoldError(
    "TENFOLD_POSTGRES_PRIVILEGES",
    "PostgreSQL does not run as root and could not be run otherwise. Start as an ordinary user, " +
      "allow user namespaces, make the program's folder readable for the user nobody, or give " +
      `\`urls\` of servers that you run. Tried: ${refusals.join("; ")}`,
  );
}

async function candidates(): Promise<readonly Candidate[]> {
  const users = await namedUsers();
  const own = process.getuid?.();
  // initdb looks its user up by name, so the user inside the namespace must have one.
  const mapped = users.get("nobody") ?? [...users.values()].find(({ uid }) => uid > 0);
  const namespace = mapped && [
    "unshare",
    "-U",
    `--map-user=${mapped.uid}`,
    `--map-group=${mapped.gid}`,
  ];
  const nobody = users.get("nobody");
  const named = process.platform !== "linux" || [...users.values()].some(({ uid }) => uid === own);
  const direct: Candidate[] = own === 0 ? [] : [{ way: "direct", prefix: [] }];
  return [
    ...(named ? direct : []),
    ...(namespace ? [{ way: "user-namespace" as const, prefix: namespace }] : []),
    ...(named ? [] : direct),
    ...(own === 0 && nobody ? [{ way: "other-user" as const, prefix: [], user: nobody }] : []),
  ];
}

async function namedUsers(): Promise<ReadonlyMap<string, User>> {
  const file = await readFile("/etc/passwd", "utf8").catch(() => "");
  const users = new Map<string, User>();
  for (const line of file.split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name && uid && gid) users.set(name, { uid: Number(uid), gid: Number(gid) });
  }
  return users;
}

function runAs(candidate: Candidate, wrap: readonly string[]): RunAs["invocation"] {
  return (program, args) => {
    const [command = program, ...rest] = [...candidate.prefix, ...wrap, program, ...args];
    return { command, args: rest, ...candidate.user };
  };
}

function probe(run: Invocation): Promise<{ ok: boolean; output: string }> {
  const { command, args, ...user } = run;
  const options = { ...user, cwd: "/", timeout: probeTimeoutMs };
  return new Promise((resolve) => {
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim().slice(0, 300);
      resolve({ ok: error === null, output: output === "" ? String(error?.message) : output });
    });
  });
}

async function own(path: string, user: User | undefined): Promise<void> {
  if (user === undefined) return;
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    const { mode, uid } = await stat(folder);
    if ((mode & 0o001) === 0 && uid !== user.uid) throw closed(folder);
  }
  await chownAll(path, user);
}

async function chownAll(path: string, user: User): Promise<void> {
  const entry = await lstat(path);
  if (entry.isSymbolicLink()) return;
  if (entry.uid !== user.uid) await chown(path, user.uid, user.gid);
  if (!entry.isDirectory()) return;
  for (const name of await readdir(path)) await chownAll(join(path, name), user);
}

function closed(folder: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_POSTGRES_PRIVILEGES",
    `PostgreSQL runs as the user nobody here and cannot enter ${folder}: keep the data in a ` +
      `folder that others may enter (chmod o+x ${folder}), or give \`urls\`.`,
  );
}
