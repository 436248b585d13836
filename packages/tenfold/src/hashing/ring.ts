import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import {
  allSteps,
  type Continuum,
  continuumLimits,
  continuumSteps,
  ownerOf,
  ownerShares,
  type PointSource,
  positionOf,
} from "./continuum.ts";
import {
  type CheckedNode,
  checkedNodes,
  type HashNode,
  hashNodeLimits,
  weightInvalid,
} from "./hash-node.ts";
import { murmur3, murmur3Prefix } from "./murmur3.ts";
import { utf8Bytes } from "./utf8.ts";

export interface RingOptions {
  /** Virtual nodes of a node of weight 1: 1 … 65,536. The spread of shares is about 1/√points. */
  readonly pointsPerWeight?: number;
}

export const ringDefaults: Readonly<Required<RingOptions>> = Object.freeze({
  pointsPerWeight: 160,
});

/** Keys on a circle; a value that never changes. */
export interface Ring<N extends HashNode> {
  /** In the order of their identities. */
  readonly nodes: readonly N[];
  /** Virtual nodes in all. */
  readonly points: number;
  /** The node of a key. O(1) on average. */
  pick(key: Uint8Array | string): N;
  /** The node at a place of the circle, 0 … 2^32 − 1. */
  at(hash: number): N;
  /** The key's node and those that follow it on the circle, each once; fewer when there are. */
  replicas(key: Uint8Array | string, count: number): readonly N[];
  /** The exact share of all keys that each nickname has. O(points). */
  shares(): ReadonlyMap<string, number>;
}

/**
 * Consistent hashing (Karger et al. 1997) with virtual nodes that are absolute: point k of a node
 * is murmur3 (x86_32, seed 0) of the text `IDENTITY-k`, for k from 0 to below
 * `round(weight × pointsPerWeight)`, whatever the other nodes are. So a change of nodes or weights
 * moves a key only away from a node that lost weight or to one that gained it. A key belongs to the
 * first point at or after its murmur3; of equal points the lowest identity counts.
 *
 * @throws TENFOLD_HASHING_EMPTY, TENFOLD_HASHING_NICKNAME_INVALID, TENFOLD_HASHING_NICKNAME_TAKEN,
 * TENFOLD_HASHING_WEIGHT_INVALID, TENFOLD_HASHING_TOO_MANY, TENFOLD_OPTION_INVALID
 */
export function ring<N extends HashNode>(nodes: readonly N[], options: RingOptions = {}): Ring<N> {
  return allSteps(ringSteps(nodes, options));
}

export interface RingInStepsOptions extends RingOptions {
  /** Lets others run: `setImmediate` or `scheduler.yield` of `node:timers/promises`. */
  readonly pause: () => Promise<unknown>;
}

/** `ring` for many nodes without holding up the event loop: it pauses every 16,384 points or so. */
export async function ringInSteps<N extends HashNode>(
  nodes: readonly N[],
  { pause, ...options }: RingInStepsOptions,
): Promise<Ring<N>> {
  const steps = ringSteps(nodes, options);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await pause();
  }
}

function* ringSteps<N extends HashNode>(
  nodes: readonly N[],
  options: RingOptions,
): Generator<undefined, Ring<N>, undefined> {
  refuseUnknownKeys("ring", options, Object.keys(ringDefaults));
  const { pointsPerWeight } = { ...ringDefaults, ...options };
  numberOption("pointsPerWeight", pointsPerWeight, { min: 1, max: 65_536 });
  const checked = checkedNodes(nodes);
  const sources = checked.flatMap((each, owner) => pointSources(each, owner, pointsPerWeight));
  return ringOn(
    yield* continuumSteps(sources),
    checked.map(({ node }) => node),
  );
}

function ringOn<N extends HashNode>(continuum: Continuum, nodes: readonly N[]): Ring<N> {
  const { owners, size } = continuum;
  const at = (hash: number): N => nodes[ownerOf(continuum, hash)] as N;
  return {
    nodes,
    points: size,
    at,
    pick: (key) => at(murmur3(key)),
    replicas(key, count) {
      numberOption("count", count, { min: 1, max: hashNodeLimits.nodesMax });
      const wanted = Math.min(count, nodes.length);
      const found = new Set<number>();
      const start = positionOf(continuum, murmur3(key));
      for (let step = 0; found.size < wanted && step < size; step++) {
        found.add(owners[(start + step) % size] as number);
      }
      return Array.from(found, (owner) => nodes[owner] as N);
    },
    shares() {
      const shares = ownerShares(continuum, nodes.length);
      return new Map(nodes.map(({ nickname }, owner) => [nickname, shares[owner] as number]));
    },
  };
}

/** The virtual nodes of one node, in pieces that each fit a step. */
function pointSources(
  { node, identity, weight }: CheckedNode<HashNode>,
  owner: number,
  pointsPerWeight: number,
): PointSource[] {
  const count = Math.round(weight * pointsPerWeight);
  const { pointsMax, pointsPerStep } = continuumLimits;
  if (count < 1 || count > pointsMax) {
    throw weightInvalid(
      node.nickname,
      weight,
      `such that its ${pointsPerWeight} points per weight are 1 to ${pointsMax}`,
    );
  }
  const write = pointWriter(identity);
  return Array.from({ length: Math.ceil(count / pointsPerStep) }, (_, piece) => {
    const first = piece * pointsPerStep;
    const length = Math.min(pointsPerStep, count - first);
    return { owner, count: length, write: (points, from) => write(points, from, first, length) };
  });
}

/** Hashes `IDENTITY-k` for many k without making the texts. */
function pointWriter(
  identity: string,
): (points: Uint32Array, from: number, first: number, count: number) => void {
  const prefix = utf8Bytes(`${identity}-`);
  return (points, from, first, count) => {
    const label = new Uint8Array(prefix.length + 10);
    label.set(prefix);
    for (let i = 0; i < count; i++) {
      points[from + i] = murmur3Prefix(label, writeDecimal(label, prefix.length, first + i));
    }
  };
}

/** Writes the digits of a number from 0 to 2^31 − 1 and returns where they end. */
function writeDecimal(bytes: Uint8Array, from: number, number: number): number {
  let end = from + 1;
  for (let rest = number; rest > 9; rest = (rest / 10) | 0) end++;
  let rest = number;
  for (let at = end - 1; at >= from; at--) {
    bytes[at] = 48 + (rest % 10);
    rest = (rest / 10) | 0;
  }
  return end;
}
