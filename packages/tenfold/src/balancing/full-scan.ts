import type { Host } from "./host.ts";
import type { Picking } from "./picking.ts";

/**
 * The least load of all; among equals at random in proportion to weight. To take the first of the
 * equals is the classic mistake: a host that fails at once is always idle, and being listed first
 * it gets nearly everything. O(n).
 */
export function fullScan(): Picking {
  return (random) => ({
    pick(hosts, now) {
      let best = hosts[0] as Host;
      let least = best.load(now);
      let tied = best.weight;
      for (let i = 1; i < hosts.length; i++) {
        const host = hosts[i] as Host;
        const load = host.load(now);
        if (load > least) continue;
        if (load < least) tied = 0;
        least = load;
        tied += host.weight;
        // Keeps each of the tied with probability weight / sum (reservoir sampling).
        if (random.next() * tied < host.weight) best = host;
      }
      return best;
    },
  });
}
