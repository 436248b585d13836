import {
  type CallPolicyOptions,
  callPolicy,
  type StandardPolicy,
} from "../resilience/call-policy.ts";
import { seededRandom } from "../runtime/random.ts";
import { type VirtualClock, virtualClock } from "../simulation/virtual-clock.ts";

/** A policy for calls that may be repeated, on a clock that the test moves. */
export function policyStand(options: CallPolicyOptions = {}): {
  readonly clock: VirtualClock;
  readonly policy: StandardPolicy;
} {
  const clock = virtualClock();
  const runtime = { clock, random: seededRandom("calls") };
  return { clock, policy: callPolicy({ idempotent: true, ...options, runtime }) };
}

export const down = (): Promise<never> => Promise.reject(new Error("down"));

/** What a promise has come to by now. */
export async function settled<T>(promise: Promise<T>): Promise<T | Error | "pending"> {
  const pending = Symbol();
  const turn = new Promise<symbol>((resolve) => setImmediate(() => resolve(pending)));
  const first = await Promise.race([promise.catch((error: Error) => error), turn]);
  return first === pending ? "pending" : (first as T | Error);
}
