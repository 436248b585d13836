export type { ServerTls } from "./grpc-server.ts";
export { type CoordinatorNodeLimits, coordinatorNodeLimits } from "./limits.ts";
export {
  type CoordinatorNode,
  type CoordinatorNodeOptions,
  createCoordinatorNode,
} from "./node.ts";
export { type RestoreOptions, restoreCoordinatorNode } from "./restore.ts";
export { type CoordinatorUser, hashPassword, readUsers } from "./users.ts";
