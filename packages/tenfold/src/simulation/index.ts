export { type VirtualClock, type VirtualClockOptions, virtualClock } from "./virtual-clock.ts";
export {
  type VirtualNetwork,
  type VirtualNetworkOptions,
  virtualNetwork,
} from "./virtual-network.ts";
