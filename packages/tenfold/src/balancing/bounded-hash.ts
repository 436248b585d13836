import { murmur3 } from "../hashing/murmur3.ts";
import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { Host } from "./host.ts";
import type { Picking } from "./picking.ts";

export interface BoundedHashOptions {
  /** A host takes at most so many times its fair part of the calls under way: 1.01 … 100. */
  readonly boundRatio?: number;
  /** Text to an unsigned 32-bit number. */
  readonly hash?: (text: string) => number;
}

export const boundedHashDefaults: Readonly<Required<BoundedHashOptions>> = Object.freeze({
  boundRatio: 1.25,
  hash: (text: string): number => murmur3(text),
});

/**
 * The same key goes to the same host, unless that one is full: weighted rendezvous hashing over the
 * hosts' ids, with a bound on load (Mirrokni, Thorup, Zadimoghaddam 2016). When a host is full, or
 * gone, its keys go each their own way, and no neighbour inherits them all. Calls without a key are
 * spread by weight. O(n).
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function boundedHash(options: BoundedHashOptions = {}): Picking {
  refuseUnknownKeys("boundedHash", options, Object.keys(boundedHashDefaults));
  const { boundRatio, hash } = { ...boundedHashDefaults, ...options };
  numberOption("boundRatio", boundRatio, { min: 1.01, max: 100, whole: false });
  return (random) => ({
    pick(hosts, _now, key) {
      const keyHash = key === undefined ? random.below(2 ** 32) : hash(key);
      let pending = 0;
      let weights = 0;
      for (const host of hosts) {
        pending += host.pending;
        weights += host.weight;
      }
      const fairPart = (boundRatio * (pending + 1)) / weights;
      let best: Host | undefined;
      let highest = Number.NEGATIVE_INFINITY;
      for (const host of hosts) {
        if (Number.isNaN(host.turn)) host.turn = hash(host.id);
        if (host.pending >= Math.ceil(fairPart * host.weight)) continue;
        const score = host.weight / -Math.log(uniform(keyHash, host.turn));
        if (score > highest) {
          highest = score;
          best = host;
        }
      }
      // The bounds together hold more than is under way, so someone is always below.
      return best as Host;
    },
  });
}

/** A number in (0, 1) that is random in key and host; the mixing is murmur3's last step. */
function uniform(keyHash: number, hostHash: number): number {
  let mixed = keyHash ^ Math.imul(hostHash, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (((mixed ^ (mixed >>> 16)) >>> 0) + 0.5) / 2 ** 32;
}
