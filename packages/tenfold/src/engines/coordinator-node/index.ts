export { type CoordinatorNodeLimits, coordinatorNodeLimits } from "./limits.ts";
export {
  type CoordinatorNode,
  type CoordinatorNodeOptions,
  createCoordinatorNode,
} from "./node.ts";
