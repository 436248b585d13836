import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import type { SocketAddress } from "../runtime/network.ts";
import { systemNetwork } from "../runtime/network.ts";

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
      await rm(dataFolder, { recursive: true, force: true });
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

/** Real etcd, as found; @param path from `findEngine("etcd")` */
export function startEtcd(path: string): Promise<CoordinatorServer> {
  return coordinatorServer(async (dataFolder, asked) => {
    const port = asked === 0 ? await freePort() : asked;
    const client = `http://127.0.0.1:${port}`;
    const child = spawn(
      path,
      [
        ...["--data-dir", dataFolder, "--listen-client-urls", client],
        ...["--advertise-client-urls", client, "--log-level", "error"],
        // A free port each time: nobody else talks to it, but it must not collide.
        ...["--listen-peer-urls", `http://127.0.0.1:${await freePort()}`],
      ],
      { stdio: "ignore" },
    );
    await answering({ host: "127.0.0.1", port }, child);
    return { child, port };
  });
}

/** A port of the range that the operating system hands out to nobody by itself. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const at = { host: "127.0.0.1", port };
    const listener = await systemNetwork.listen(at, () => {}).catch(() => undefined);
    if (listener === undefined) continue;
    await listener.close();
    return port;
  }
}

async function answering(address: SocketAddress, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const socket = await systemNetwork.connect(address).catch(() => undefined);
    if (socket !== undefined) {
      socket.destroy();
      return;
    }
    await new Promise((done) => setTimeout(done, 20));
  }
}
