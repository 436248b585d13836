import { jsonLog } from "../../runtime/log.ts";
import { coordinatorNodeLimits } from "./limits.ts";
import { createCoordinatorNode } from "./node.ts";

/** A node as a process of its own, for tests that kill it: prints its port, then serves. */
const { NODE_FOLDER, NODE_PORT, NODE_TOKEN, NODE_HISTORY } = process.env;
const { historyRevisionsMax } = coordinatorNodeLimits;
const node = await createCoordinatorNode({
  listen: { host: "127.0.0.1", port: Number(NODE_PORT ?? 0) },
  dataFolder: NODE_FOLDER as string,
  token: NODE_TOKEN,
  limits: { historyRevisionsMax: Number(NODE_HISTORY ?? historyRevisionsMax) },
  runtime: { log: jsonLog({ level: "warn", write: (line) => process.stderr.write(`${line}\n`) }) },
});
process.stdout.write(`${node.address.port}\n`);
process.on("disconnect", () => process.exit(0));
