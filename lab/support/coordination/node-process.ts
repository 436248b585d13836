import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCoordinatorNode } from "tenfold/engines/coordinator-node";
import type { SocketAddress } from "tenfold/runtime";

import type { Lab } from "../experiment.ts";

if (process.env.LAB_NODE_FOLDER !== undefined) await serve(process.env.LAB_NODE_FOLDER);

/** The embedded coordinator in a process of its own, with a new data folder. */
export async function startNode(lab: Pick<Lab, "atEnd">): Promise<SocketAddress> {
  const folder = mkdtempSync(join(tmpdir(), "tenfold-lab-node-"));
  lab.atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const child = fork(import.meta.filename, { env: { ...process.env, LAB_NODE_FOLDER: folder } });
  lab.atEnd(() => end(child));
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`the node ended with ${code} before it served`);
    }),
  ]);
  return message as SocketAddress;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

async function serve(dataFolder: string): Promise<void> {
  process.on("disconnect", () => process.exit());
  const listen = { host: "127.0.0.1", port: 0 };
  const { address } = await createCoordinatorNode({ listen, dataFolder, token: undefined });
  process.send?.(address);
}
