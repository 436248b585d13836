import { seededRandom } from "../runtime/random.ts";
import { type Balancer, balancer, type Picked, type PickOptions } from "./balancer.ts";
import type { BalancerOptions } from "./balancer-options.ts";
import type { Candidate } from "./candidate.ts";

/** `h0`, `h1`, … */
export const hosts = (count: number, weight = 1): Candidate[] =>
  Array.from({ length: count }, (_, i) => ({ id: `h${i}`, weight }));

/** A balancer over `list`. */
export function pool(
  list: readonly Candidate[],
  options: Partial<BalancerOptions> = {},
): Balancer<Candidate> {
  const choice = balancer<Candidate>({ random: seededRandom("pool"), ...options });
  choice.update(list);
  return choice;
}

/** Makes one call that is answered at once. */
export function once(
  choice: Balancer<Candidate>,
  now: number,
  outcome: "success" | "failure" = "success",
  options: PickOptions = {},
): Picked<Candidate> | undefined {
  const picked = choice.pick(now, options);
  picked?.report(now, outcome, 10);
  picked?.release();
  return picked;
}
