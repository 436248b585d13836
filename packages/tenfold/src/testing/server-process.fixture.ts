import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import type { SocketAddress } from "../runtime/network.ts";
import { type EtcdMember, startEtcdCluster } from "./etcd-cluster.ts";

/** A coordinator in a process of its own, for tests that kill it. */
export interface CoordinatorServer {
  readonly address: SocketAddress;
  readonly child: ChildProcess;
  readonly dataFolder: string;
  /** SIGKILL, and the same again on the same data and port. */
  restart(): Promise<void>;
  kill(): Promise<void>;
  close(): Promise<void>;
}

type Start = (dataFolder: string, port: number) => Promise<{ child: ChildProcess; port: number }>;

async function coordinatorServer(start: Start): Promise<CoordinatorServer> {
  const dataFolder = await mkdtemp(join(tmpdir(), "tenfold-coordinator-"));
  let { child, port } = await start(dataFolder, 0);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return {
    address: { host: "127.0.0.1", port },
    get child() {
      return child;
    },
    dataFolder,
    kill,
    async restart() {
      await kill();
      ({ child, port } = await start(dataFolder, port));
    },
    async close() {
      await kill();
      // With the backup that a suite may have made beside it.
      for (const folder of [dataFolder, `${dataFolder}.backup`]) {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** The embedded node with its own settings in the environment (see `node-process.fixture.ts`). */
export function startNode(environment: Record<string, string> = {}): Promise<CoordinatorServer> {
  const file = new URL("../engines/coordinator-node/node-process.fixture.ts", import.meta.url);
  return coordinatorServer(async (dataFolder, port) => {
    const child = spawn(
      process.execPath,
      ["--conditions=tenfold:source", "--no-warnings", fileURLToPath(file)],
      {
        env: { ...environment, NODE_FOLDER: dataFolder, NODE_PORT: String(port) },
        stdio: ["ignore", "pipe", "inherit", "ipc"],
      },
    );
    const [line] = await Promise.race([
      once(child.stdout as NodeJS.ReadableStream, "data"),
      once(child, "exit").then(([code]) => {
        throw new Error(`the node ended with ${code} before it listened`);
      }),
    ]);
    return { child, port: Number(String(line)) };
  });
}

/** Where the program is: on PATH, or unpacked in `.engines`. */
export function findEngine(name: string): string | undefined {
  const root = resolve(fileURLToPath(import.meta.url), "../../../../..");
  const folders = [...(process.env.PATH ?? "").split(delimiter), `${root}/.engines/root/usr/bin`];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** libfaketime, to be preloaded into a process whose clock is to move. */
export function findFakeClock(): string | undefined {
  const root = resolve(fileURLToPath(import.meta.url), "../../../../..");
  const folder = `${root}/.engines/root/usr/lib/x86_64-linux-gnu/faketime`;
  return [`${folder}/libfaketime.so.1`].find((path) => existsSync(path));
}

/** One real etcd with its default timings; @param path from `findEngine("etcd")` */
export async function startEtcd(path: string): Promise<CoordinatorServer> {
  const hosts = ["127.0.0.1"];
  const timings = { heartbeatMs: 100, electionMs: 1_000 };
  const cluster = await startEtcdCluster({ program: path, hosts, ...timings });
  const [member] = cluster.members as [EtcdMember];
  return {
    address: member.address,
    get child() {
      return member.child;
    },
    dataFolder: member.dataFolder,
    restart: () => member.restart(),
    kill: () => member.kill(),
    close: () => cluster.close(),
  };
}
