import { mkdir, readdir, readFile, rm, statfs, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

import { TenfoldError } from "../runtime/errors.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import { type FolderLock, lockFolder } from "./folder-lock.ts";

/** The format of a fleet's data folder; a folder of another format is refused, never misread. */
const dataFormat = 1;
const freeBytesMin = 256 * 1024 * 1024;

/**
 * Takes the data folder for this process: makes it, locks it, checks its format and the disk, and
 * with `fresh` empties it.
 *
 * @throws TENFOLD_FLEET_ALREADY_RUNNING, TENFOLD_FLEET_DISK_FULL, TENFOLD_FLEET_DATA_UNKNOWN
 */
export async function takeDataFolder(
  folder: string,
  fleet: string,
  fresh: boolean,
): Promise<FolderLock> {
  // Others may pass through, not look in: a database server may have to run as another user.
  await mkdir(folder, { recursive: true, mode: 0o711 }).catch(refuseFullDisk);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < freeBytesMin) throw diskFull(folder, bavail * bsize);
  const lock = lockFolder(folder);
  try {
    if (fresh) await empty(folder);
    await checkFormat(folder, fleet);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith("lock.db")) continue;
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function checkFormat(folder: string, fleet: string): Promise<void> {
  const file = join(folder, "format.json");
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) {
    await writeFile(file, JSON.stringify({ format: dataFormat, fleet }), { mode: 0o600 }).catch(
      refuseFullDisk,
    );
    return;
  }
  let found: { format?: unknown; fleet?: unknown } = {};
  try {
    found = JSON.parse(text);
  } catch {
    // Falls through to the refusal below, with an unknown format.
  }
  if (found.format === dataFormat && found.fleet === fleet) return;
  throw new TenfoldError(
    "TENFOLD_FLEET_DATA_UNKNOWN",
    `${folder} holds format ${found.format} of fleet "${found.fleet}"; expected format ` +
      `${dataFormat} of "${fleet}". Give another folder with --data, or start anew with --fresh.`,
  );
}

/**
 * @param ports every port that the plan will listen on, with what for.
 * @throws TENFOLD_FLEET_PORT_TAKEN naming all that are taken.
 */
export async function checkPorts(
  plan: Pick<FleetPlan, "address">,
  ports: ReadonlyMap<number, string>,
): Promise<void> {
  const taken: string[] = [];
  for (const [port, purpose] of ports) {
    if (!(await isFree(plan.address, port))) taken.push(`${port} (${purpose})`);
  }
  if (taken.length === 0) return;
  throw new TenfoldError(
    "TENFOLD_FLEET_PORT_TAKEN",
    `Port ${taken.join(", ")} on ${plan.address} is held by another program. Stop it, or move ` +
      "the fleet to other ports with --ports FROM.",
  );
}

/**
 * Every port of ours in a plan, with what it is for. Those of stores are checked by their servers.
 */
export function plannedPorts(plan: FleetPlan): Map<number, string> {
  const ports = new Map([[plan.adminPort, "supervisor"]]);
  for (const { name, port, adminPort } of plan.processes) {
    ports.set(port, name);
    ports.set(adminPort, `${name} admin`);
  }
  return ports;
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function refuseFullDisk(error: NodeJS.ErrnoException): never {
  if (error.code === "ENOSPC" || error.code === "EDQUOT") throw diskFull("the data folder", 0);
  throw error;
}

function diskFull(folder: string, freeBytes: number): TenfoldError {
  const free = `${Math.floor(freeBytes / 1024 / 1024)} MiB`;
  return new TenfoldError(
    "TENFOLD_FLEET_DISK_FULL",
    `The disk of ${folder} has ${free} free; a fleet needs at least ` +
      `${freeBytesMin / 1024 / 1024} MiB. Free some, or give another folder with --data.`,
  );
}
