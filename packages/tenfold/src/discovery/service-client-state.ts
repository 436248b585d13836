import { type BalancerState, checkBalancerState } from "../balancing/balancer-state.ts";
import type { CircuitBreaker } from "../resilience/circuit-breaker.ts";
import type { SavedCircuit } from "../resilience/circuit-breaker-state.ts";
import type { CallCore } from "./call-core.ts";

/** What a service client has learned, as JSON. */
export interface ServiceClientState {
  readonly balancer: BalancerState;
  /** Left out by a client that has no circuit of its own. */
  readonly circuit?: SavedCircuit;
}

/** @param breaker of the client alone; undefined when there is none */
export function serviceClientState(
  { pool, runtime: { clock } }: Pick<CallCore, "pool" | "runtime">,
  breaker: CircuitBreaker | undefined,
): {
  save(): ServiceClientState;
  restore(state: ServiceClientState, awayMs?: number): void;
} {
  return {
    save() {
      const now = clock.now();
      const circuit = breaker?.save(now);
      return { balancer: pool.save(now), ...(circuit !== undefined && { circuit }) };
    },
    restore(state, awayMs = 0) {
      const { balancer, circuit } = Object(state) as ServiceClientState;
      const now = clock.now();
      // Both or none: what follows on the circuit's restore throws no more.
      checkBalancerState(balancer);
      if (circuit !== undefined) breaker?.restore(now, circuit, awayMs);
      pool.restore(now, later(balancer, awayMs));
    },
  };
}

/** What was to be asked in so long is to be asked sooner. */
function later(state: BalancerState, awayMs: number): BalancerState {
  const endpoints = state.endpoints.map((each) => {
    const probeInMs = Math.max(0, each.health.probeInMs - awayMs);
    return { ...each, health: { ...each.health, probeInMs } };
  });
  return { ...state, endpoints };
}
