// The embedded coordinator in a process of its own: sends its port.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCoordinatorNode } from "tenfold/engines/coordinator-node";

const dataFolder = mkdtempSync(join(tmpdir(), "tenfold-node-"));
const listen = { host: "127.0.0.1", port: 0 };
const node = await createCoordinatorNode({ listen, dataFolder, token: undefined });
process.send?.(node.address.port);
process.on("disconnect", async () => {
  await node.close();
  rmSync(dataFolder, { recursive: true, force: true });
  process.exit(0);
});
