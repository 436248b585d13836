export { type BalancedCallerOptions, balancedCaller } from "./balanced-caller.ts";
export { type Arrival, type OpenLoopOptions, openLoop } from "./open-loop.ts";
export { type QueuedCall, type QueuedCallerOptions, queuedCaller } from "./queued-caller.ts";
export {
  type Caller,
  type Line,
  type Pick,
  type Replay,
  type ReplayedCall,
  type ReplayOptions,
  replay,
} from "./replay.ts";
export { type ReplayFigures, replayFigures } from "./replay-figures.ts";
export {
  type Fault,
  type ModelTime,
  type ServerModel,
  type ServerSpec,
  serverModel,
} from "./server-model.ts";
export { type VirtualClock, type VirtualClockOptions, virtualClock } from "./virtual-clock.ts";
export {
  type VirtualNetwork,
  type VirtualNetworkOptions,
  virtualNetwork,
} from "./virtual-network.ts";
