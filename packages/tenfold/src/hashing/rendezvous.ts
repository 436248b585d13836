import { numberOption } from "../runtime/options.ts";
import { checkedNodes, type HashNode, hashNodeLimits } from "./hash-node.ts";
import { avalanche } from "./murmur3.ts";
import { murmur3x64 } from "./murmur3-x64.ts";

/** A value that never changes. */
export interface Rendezvous<N extends HashNode> {
  /** In the order of their identities. */
  readonly nodes: readonly N[];
  /** The node of a key. O(nodes). */
  pick(key: Uint8Array | string): N;
  /** The best nodes of a key, best first; fewer when there are fewer. O(nodes × log nodes). */
  replicas(key: Uint8Array | string, count: number): readonly N[];
}

/**
 * Highest random weight (Thaler and Ravishankar 1998), weighted in the logarithmic form
 * (Schindelhauer and Schomaker 2005): every node draws a number for the key, and the best wins.
 * Exact weights with no virtual nodes, and a change moves only what it must; each look-up asks
 * every node, so it is for few nodes, or to choose replicas.
 *
 * @throws TENFOLD_HASHING_EMPTY, TENFOLD_HASHING_NICKNAME_INVALID, TENFOLD_HASHING_NICKNAME_TAKEN,
 * TENFOLD_HASHING_WEIGHT_INVALID, TENFOLD_HASHING_TOO_MANY
 */
export function rendezvous<N extends HashNode>(nodes: readonly N[]): Rendezvous<N> {
  const checked = checkedNodes(nodes);
  const seeds = checked.map(({ identity }) => murmur3x64(identity));
  const weights = checked.map(({ weight }) => weight);
  const own = checked.map(({ node }) => node);
  const high = Uint32Array.from(seeds, ([word]) => word);
  const low = Uint32Array.from(seeds, ([, word]) => word);

  const score = (at: number, keyHigh: number, keyLow: number): number => {
    const first = avalanche(keyHigh ^ (high[at] as number));
    const second = avalanche(keyLow ^ (low[at] as number) ^ first);
    // In (0, 1), of 52 bits: with one more the greatest would round up to 1.
    const drawn = ((first >>> 6) * 0x400_0000 + (second >>> 6) + 0.5) / 0x10_0000_0000_0000;
    return -(weights[at] as number) / Math.log(drawn);
  };
  return {
    nodes: own,
    pick(key) {
      const [keyHigh, keyLow] = murmur3x64(key);
      let best = 0;
      let bestScore = -1;
      for (let at = 0; at < own.length; at++) {
        const scored = score(at, keyHigh, keyLow);
        if (scored <= bestScore) continue;
        best = at;
        bestScore = scored;
      }
      return own[best] as N;
    },
    replicas(key, count) {
      numberOption("count", count, { min: 1, max: hashNodeLimits.nodesMax });
      const [keyHigh, keyLow] = murmur3x64(key);
      const scored = own.map((node, at) => ({ node, score: score(at, keyHigh, keyLow) }));
      scored.sort((a, b) => b.score - a.score);
      return scored.slice(0, count).map(({ node }) => node);
    },
  };
}
