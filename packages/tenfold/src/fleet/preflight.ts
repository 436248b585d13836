import { mkdir, readdir, rm, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

import { errorText, TenfoldError } from "../runtime/errors.ts";
import type { FolderLock } from "../runtime/folder-lock.ts";
import { fileStorage, type Storage } from "../runtime/storage.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import { lockFolder } from "./folder-lock.ts";

/** The format of a fleet's data folder; a folder of another format is refused, never misread. */
const dataFormat = 1;
/** A first start of two shards with two standbys each writes about 400 MiB. */
const freeBytesMin = 512 * 1024 * 1024;

/**
 * Takes the data folder for this process: makes it, locks it, checks its format and the disk, and
 * with `fresh` empties it. A folder that holds anything else is never emptied.
 *
 * @throws TENFOLD_FLEET_ALREADY_RUNNING, TENFOLD_FLEET_DISK_FULL, TENFOLD_FLEET_DATA_UNKNOWN,
 * TENFOLD_FLEET_FOLDER_UNUSABLE
 */
export async function takeDataFolder(
  { dataFolder: folder, ...owner }: Pick<FleetPlan, "dataFolder" | "fleet" | "host">,
  fresh: boolean,
): Promise<FolderLock> {
  let lock: FolderLock | undefined;
  try {
    // Others may pass through, not look in: a database server may have to run as another user.
    await mkdir(folder, { recursive: true, mode: 0o711 });
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < freeBytesMin) throw diskFull(folder, bavail * bsize);
    lock = lockFolder(folder);
    const storage = fileStorage(folder);
    if (fresh) await empty(folder, storage);
    await checkFormat(folder, owner, storage);
    return lock;
  } catch (error) {
    lock?.release();
    throw folderFailure(folder, error);
  }
}

/** The coded form of an error from the file system or the lock; all others pass. */
export function folderFailure(folder: string, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined && code !== "ERR_SQLITE_ERROR") return error;
  if (code === "ENOSPC" || code === "EDQUOT") return diskFull(folder, 0);
  return new TenfoldError(
    "TENFOLD_FLEET_FOLDER_UNUSABLE",
    `The data folder ${folder} cannot be used (${errorText(error)}): make it writable for the ` +
      "user who starts the fleet, or give another with --data.",
    { cause: error },
  );
}

const formatFile = "format.json";

async function empty(folder: string, storage: Storage): Promise<void> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith("lock.db"));
  if (names.length === 0) return;
  if (!names.includes(formatFile)) {
    throw new TenfoldError(
      "TENFOLD_FLEET_DATA_UNKNOWN",
      `${folder} holds files, but not the data of a fleet (no ${formatFile}), so --fresh leaves ` +
        "it alone: empty it yourself, or give another folder with --data.",
    );
  }
  // Goes last: what a killed --fresh leaves half removed must not be taken for data.
  await storage.write(formatFile, JSON.stringify({ format: "half removed" }));
  for (const name of names.filter((each) => each !== formatFile)) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
  await storage.remove(formatFile);
}

async function checkFormat(
  folder: string,
  { fleet, host }: Pick<FleetPlan, "fleet" | "host">,
  storage: Storage,
): Promise<void> {
  const kept = await storage.read(formatFile);
  if (kept === undefined) {
    return await storage.write(formatFile, JSON.stringify({ format: dataFormat, fleet, host }));
  }
  const found = parsed(Buffer.from(kept).toString());
  // A folder from before there were several hosts says nothing of one.
  const { host: owner = host } = found;
  if (found.format === dataFormat && found.fleet === fleet && owner === host) return;
  throw new TenfoldError(
    "TENFOLD_FLEET_DATA_UNKNOWN",
    `${folder} holds format ${found.format} of fleet "${found.fleet}", host "${owner}"; expected ` +
      `format ${dataFormat} of "${fleet}", host "${host}". Give another folder with --data, or ` +
      "start anew with --fresh.",
  );
}

function parsed(text: string): { format?: unknown; fleet?: unknown; host?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/**
 * @param ports every port that the plan will listen on, with what for.
 * @throws TENFOLD_FLEET_PORT_TAKEN naming all that cannot be had, and why.
 */
export async function checkPorts(
  plan: Pick<FleetPlan, "address">,
  ports: ReadonlyMap<number, string>,
): Promise<void> {
  const taken: string[] = [];
  for (const [port, purpose] of ports) {
    const reason = await refusal(plan.address, port);
    if (reason !== undefined) taken.push(`${port} (${purpose}: ${reason})`);
  }
  if (taken.length === 0) return;
  throw new TenfoldError(
    "TENFOLD_FLEET_PORT_TAKEN",
    `These ports on ${plan.address} cannot be had: ${taken.join(", ")}. Stop the program that ` +
      "holds them, or move the fleet to other ports with --ports FROM.",
  );
}

/**
 * Every port of ours in a plan, with what it is for.
 */
export function plannedPorts(plan: FleetPlan): Map<number, string> {
  const ports = new Map([[plan.adminPort, "supervisor"]]);
  for (const { name, port, adminPort } of plan.processes) {
    ports.set(port, name);
    ports.set(adminPort, `${name} admin`);
  }
  for (const { shards, hosts } of plan.stores) {
    for (const { name, port } of shards.flatMap(({ servers }) => servers)) {
      if (hosts.get(name) === plan.host) ports.set(port, name);
    }
  }
  return ports;
}

const refusals: Readonly<Record<string, string>> = {
  EADDRINUSE: "held by another program",
  EACCES: "only root may have it",
  EADDRNOTAVAIL: "this machine does not have the address",
};

/** Why a port cannot be listened on, or undefined when it can. */
function refusal(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) =>
      resolve(refusals[error.code ?? ""] ?? errorText(error)),
    );
    const free = (): unknown => server.close(() => resolve(undefined));
    server.listen({ host, port, exclusive: true }, free);
  });
}

function diskFull(folder: string, freeBytes: number): TenfoldError {
  const free = `${Math.floor(freeBytes / 1024 / 1024)} MiB`;
  return new TenfoldError(
    "TENFOLD_FLEET_DISK_FULL",
    `The disk of ${folder} has ${free} free; a fleet needs at least ` +
      `${freeBytesMin / 1024 / 1024} MiB. Free some, or give another folder with --data.`,
  );
}
