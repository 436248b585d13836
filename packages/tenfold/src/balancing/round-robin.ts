import type { Host } from "./host.ts";
import type { Picking } from "./picking.ts";

/** One after the other, whatever their weight and load, from a random start. O(1). */
export function roundRobin(): Picking {
  return (random) => {
    let next = random.below(1_000);
    return { pick: (hosts) => hosts[next++ % hosts.length] as Host };
  };
}
