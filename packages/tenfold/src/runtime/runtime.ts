import { type Clock, systemClock } from "./clock.ts";
import { type Log, silentLog } from "./log.ts";
import { type Network, systemNetwork } from "./network.ts";
import { type Random, systemRandom } from "./random.ts";

/**
 * What a part may know of the world. Every factory takes `runtime?: Partial<Runtime>`; production
 * gets `systemRuntime`, tests and simulations hand in a virtual one.
 */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: Network;
}

export const systemRuntime: Runtime = Object.freeze({
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  network: systemNetwork,
});

/** The system's runtime with the given parts replaced. */
export function runtimeWith(parts: Partial<Runtime> | undefined): Runtime {
  return parts === undefined ? systemRuntime : { ...systemRuntime, ...parts };
}
