import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import type { CoordinatorAccess, FleetDefinition } from "tenfold/fleet";
import { TenfoldError } from "tenfold/runtime";

/** Where the data of fleets started in a folder are: one folder a fleet below it. */
const dataRoot = ".tenfold";

/** Where a host's share of a fleet has its data, unless `--data` says otherwise. */
export function defaultDataFolder(
  { name, hosts = {} }: Pick<FleetDefinition, "name" | "hosts">,
  host: string | undefined,
): string {
  const isAlone = host === undefined || Object.keys(hosts).length < 2;
  return resolve(dataRoot, isAlone ? name : `${name}-${host}`);
}

/** A fleet that runs on this machine, as its supervisor's files tell. */
export interface RunningFleet {
  readonly folder: string;
  readonly address: string;
  readonly token: string;
  readonly fleet: string;
  /** `etcd://HOST:PORT,…` */
  readonly coordinator: string;
  readonly access: CoordinatorAccess;
}

/**
 * The running fleet of a data folder, or the only one below `.tenfold` here.
 * @throws TENFOLD_FLEET_NOT_RUNNING
 */
export function findRunningFleet(data: string | undefined): RunningFleet {
  const folders = data === undefined ? fleetFolders() : [resolve(data)];
  const running = folders.flatMap((folder) => runningFleetIn(folder) ?? []);
  const [only] = running;
  if (only !== undefined && running.length === 1) return only;
  const message =
    only === undefined
      ? `No fleet runs here (looked in ${folders.join(", ") || resolve(dataRoot)}).`
      : `Several fleets run here: ${running.map(({ folder }) => folder).join(", ")}. ` +
        "Name one with --data.";
  throw new TenfoldError("TENFOLD_FLEET_NOT_RUNNING", message);
}

/** A frozen supervisor must not hold its caller; one that restarts a service may take long. */
const answerTimeoutMs = { GET: 30_000, POST: 300_000 };

/** Asks the supervisor's admin API. @throws TENFOLD_FLEET_NOT_RUNNING, or the code it answers. */
export async function askSupervisor<T>(
  fleet: RunningFleet,
  method: "GET" | "POST",
  path: string,
  body?: object,
): Promise<T> {
  const { status, json } = await request(fleet, method, path, body).catch((cause: unknown) => {
    const message = `The supervisor of ${fleet.folder} does not answer at ${fleet.address}.`;
    throw new TenfoldError("TENFOLD_FLEET_NOT_RUNNING", message, { cause });
  });
  if (status < 400) return json as T;
  const { error } = json as { error?: { code: string; message: string } };
  const { code, message } = error ?? { code: "TENFOLD_INTERNAL", message: "no reason" };
  throw new TenfoldError(code as TenfoldError["code"], message);
}

async function request(fleet: RunningFleet, method: "GET" | "POST", path: string, body?: object) {
  const response = await fetch(`${fleet.address}${path}`, {
    method,
    headers: { authorization: `Bearer ${fleet.token}`, "content-type": "application/json" },
    signal: AbortSignal.timeout(answerTimeoutMs[method]),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: Object(await response.json()) as object };
}

function fleetFolders(): string[] {
  try {
    return readdirSync(dataRoot).map((name) => resolve(dataRoot, name));
  } catch {
    return [];
  }
}

/** The fleet whose supervisor runs on this data folder, if one does. */
export function runningFleetIn(folder: string): RunningFleet | undefined {
  try {
    const said = JSON.parse(readFileSync(join(folder, "supervisor.json"), "utf8"));
    const { address, pid, fleet, coordinator } = said;
    process.kill(pid, 0);
    const tokenFile = join(folder, "token");
    const token = readFileSync(tokenFile, "utf8").trim();
    // The fleet's own coordinator asks for the fleet's token.
    const access = said.access ?? { token: `file:${tokenFile}` };
    return { folder, address, token, fleet, coordinator, access };
  } catch {
    return undefined;
  }
}
