import type { HashPolicy } from "./hash-policy.ts";

/** What a change of nodes, weights or policy does to keys. */
export interface KeyMovement {
  readonly keys: number;
  /** Keys that are on another node afterwards. */
  readonly moved: number;
  /**
   * Those of them that moved between two nodes for no reason: the one that they left was neither
   * removed nor did it lose weight, the one that they went to was neither added nor did it gain.
   */
  readonly needless: number;
  /** Every node of either side, in the order of their identities. */
  readonly nodes: readonly NodeMovement[];
}

export interface NodeMovement {
  readonly identity: string;
  /** Keys; 0 for a node that is not there. */
  readonly before: number;
  readonly after: number;
  /** 0 for a node that is not there. */
  readonly weightBefore: number;
  readonly weightAfter: number;
}

type Tally = { -readonly [Field in keyof NodeMovement]: NodeMovement[Field] };

/** Asks both policies for every key. A node is the same one when its identity is. */
export function keyMovement(
  before: HashPolicy,
  after: HashPolicy,
  keys: Iterable<string>,
): KeyMovement {
  const identities = [...new Set([...before.weights.keys(), ...after.weights.keys()])].sort();
  const tally = (identity: string): Tally => ({
    identity,
    before: 0,
    after: 0,
    weightBefore: before.weights.get(identity) ?? 0,
    weightAfter: after.weights.get(identity) ?? 0,
  });
  const nodes = new Map(identities.map((identity) => [identity, tally(identity)]));
  let count = 0;
  let moved = 0;
  let needless = 0;
  for (const key of keys) {
    count++;
    const from = nodes.get(before.ownerOf(key)) as Tally;
    const to = nodes.get(after.ownerOf(key)) as Tally;
    from.before++;
    to.after++;
    if (from === to) continue;
    moved++;
    if (from.weightAfter >= from.weightBefore && to.weightAfter <= to.weightBefore) needless++;
  }
  return { keys: count, moved, needless, nodes: [...nodes.values()] };
}

/** `key-0` … : what to compare with when the real keys are not at hand. */
export function* sampleKeys(count: number): Generator<string, void, undefined> {
  for (let i = 0; i < count; i++) yield `key-${i}`;
}
