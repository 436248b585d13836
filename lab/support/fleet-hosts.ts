import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { claimPorts } from "./claim-ports.ts";
import { type LabFleet, startFleet, until } from "./fleet.ts";
import { processTree } from "./pss.ts";

export interface FleetHostsOptions {
  readonly fleetFile: string;
  /** The hosts of the file, the one that makes the token first. */
  readonly names: readonly string[];
  /** `etcd://…` */
  readonly coordinator: string;
  readonly say?: (line: string) => void;
}

/** A fleet of several hosts on this machine: each an address, a data folder and a supervisor. */
export interface FleetHosts {
  /** A host that runs, by name. */
  host(name: string): LabFleet;
  /** SIGKILL to the host's supervisor and to every process below it. */
  kill(name: string): Promise<void>;
  /** Starts a host again on its data folder. */
  start(name: string): Promise<LabFleet>;
  /** Stops all and removes their folders. Idempotent. */
  close(): Promise<void>;
}

/** Starts the hosts, the first a moment ahead, and waits until all of them are up. */
export async function startFleetHosts(options: FleetHostsOptions): Promise<FleetHosts> {
  const { fleetFile, names, coordinator, say } = options;
  const folder = mkdtempSync(join(tmpdir(), "tenfold-hosts-"));
  const ports = await claimPorts();
  const running = new Map<string, LabFleet>();
  const [first = ""] = names;
  const tokenFile = join(folder, first, "token");
  const start = async (name: string): Promise<LabFleet> => {
    const fleet = await startFleet({
      fleetFile,
      coordinator,
      portsFrom: ports.from,
      dataFolder: join(folder, name),
      host: { name, ...(name === first ? {} : { tokenFile }) },
      say: (line) => say?.(`  ${name}:${line}`),
    });
    running.set(name, fleet);
    return fleet;
  };
  const host = (name: string): LabFleet => {
    const fleet = running.get(name);
    if (fleet === undefined) throw new Error(`host ${name} does not run`);
    return fleet;
  };
  const close = async (): Promise<void> => {
    await Promise.all([...running.values()].map((fleet) => fleet.close()));
    ports.release();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const others = async (): Promise<void> => {
    await until("the first host's token", 90_000, () => existsSync(tokenFile));
    await Promise.all(names.slice(1).map(start));
  };
  try {
    // None is up before all are: each waits for what the others keep.
    await Promise.all([start(first), others()]);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    host,
    async kill(name) {
      const fleet = host(name);
      const tree = processTree(fleet.supervisorPid);
      const ended = fleet.killSupervisor();
      for (const pid of tree) killHard(pid);
      await ended;
      running.delete(name);
    },
    start,
    close,
  };
}

function killHard(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It died with its supervisor.
  }
}
