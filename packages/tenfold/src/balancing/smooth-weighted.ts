import type { Random } from "../runtime/random.ts";
import type { Host } from "./host.ts";
import type { Picking } from "./picking.ts";

/**
 * Smooth weighted round robin as in nginx: 5:1:1 goes a a b a c a a, not a a a a a b c. Clients
 * start out of phase, or all of them would meet at the same host. O(n).
 */
export function smoothWeighted(): Picking {
  return (random) => ({
    pick: (hosts, now) => smoothTurn(hosts, (host) => host.weightAt(now), random),
  });
}

/**
 * Everyone gains its weight, the one with the most is picked and pays what all gained. What is
 * gained is kept in `turn`.
 */
export function smoothTurn(
  hosts: readonly Host[],
  weightOf: (host: Host) => number,
  random: Pick<Random, "next">,
): Host {
  let gained = 0;
  let best = hosts[0] as Host;
  for (const host of hosts) {
    const weight = weightOf(host);
    if (Number.isNaN(host.turn)) host.turn = (random.next() - 0.5) * weight;
    host.turn += weight;
    gained += weight;
    if (host.turn > best.turn) best = host;
  }
  best.turn -= gained;
  return best;
}
