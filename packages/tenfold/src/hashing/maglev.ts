import { invalidOption, numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { checkedNodes, type HashNode, tooMany } from "./hash-node.ts";
import { murmur3 } from "./murmur3.ts";
import { murmur3x64 } from "./murmur3-x64.ts";

export interface MaglevOptions {
  /** Places of the table: a prime from 101 to 1,000,003, a hundred times the nodes at least. */
  readonly tableSize?: number;
}

export const maglevDefaults: Readonly<Required<MaglevOptions>> = Object.freeze({
  tableSize: 65_537,
});
/** With fewer places a node the shares become uneven (the paper's advice). */
const placesPerNodeMin = 100;

/** A value that never changes. */
export interface Maglev<N extends HashNode> {
  /** In the order of their identities. */
  readonly nodes: readonly N[];
  /** The node of a key. O(1). */
  pick(key: Uint8Array | string): N;
  /** The exact share of all keys that each nickname has. O(table). */
  shares(): ReadonlyMap<string, number>;
}

/** One node's turns at the table: places `offset + k × skip`, as often as its weight says. */
export interface MaglevTurns {
  readonly offset: number;
  readonly skip: number;
  readonly weight: number;
}

/**
 * Maglev hashing (Eisenbud et al. 2016, section 3.4), weighted as in Envoy: a table that nodes fill
 * in turns, each in an order of its own. The most even of all here; a change of nodes moves a few
 * keys more than it must (0.2 % to 0.4 % with the default table). For balancing, not for stores.
 *
 * @throws TENFOLD_HASHING_EMPTY, TENFOLD_HASHING_NICKNAME_INVALID, TENFOLD_HASHING_NICKNAME_TAKEN,
 * TENFOLD_HASHING_WEIGHT_INVALID, TENFOLD_HASHING_TOO_MANY, TENFOLD_OPTION_INVALID
 */
export function maglev<N extends HashNode>(
  nodes: readonly N[],
  options: MaglevOptions = {},
): Maglev<N> {
  refuseUnknownKeys("maglev", options, Object.keys(maglevDefaults));
  const { tableSize } = { ...maglevDefaults, ...options };
  numberOption("tableSize", tableSize, { min: 101, max: 1_000_003 });
  if (!isPrime(tableSize)) throw invalidOption("tableSize", "a prime number", tableSize);
  const checked = checkedNodes(nodes);
  const nodesMax = Math.floor(tableSize / placesPerNodeMin);
  if (checked.length > nodesMax) {
    throw tooMany(`nodes on a table of ${tableSize}`, nodesMax, checked.length);
  }
  const turns = checked.map(({ identity, weight }) => {
    const [, first, , second] = murmur3x64(identity);
    return { offset: first % tableSize, skip: (second % (tableSize - 1)) + 1, weight };
  });
  const table = maglevTable(turns, tableSize);
  const own = checked.map(({ node }) => node);
  return {
    nodes: own,
    pick: (key) => own[table[murmur3(key) % tableSize] as number] as N,
    shares() {
      const counts = new Float64Array(own.length);
      for (const owner of table) counts[owner] = (counts[owner] as number) + 1;
      return new Map(own.map(({ nickname }, at) => [nickname, (counts[at] as number) / tableSize]));
    },
  };
}

/** Who owns each place. The heaviest node takes a place every round, the others in proportion. */
export function maglevTable(turns: readonly MaglevTurns[], tableSize: number): Uint16Array {
  const table = new Uint16Array(tableSize);
  const taken = new Uint8Array(tableSize);
  const weightMax = turns.reduce((max, { weight }) => Math.max(max, weight), 0);
  const places = turns.map(({ offset }) => offset);
  const credits = turns.map(() => 0);
  let filled = 0;
  while (filled < tableSize) {
    for (let at = 0; at < turns.length && filled < tableSize; at++) {
      const { skip, weight } = turns[at] as MaglevTurns;
      const credit = (credits[at] as number) + weight / weightMax;
      credits[at] = credit;
      // A sum of fractions such as 1/3 falls short of a whole by a rounding error.
      if (credit < 1 - 1e-9) continue;
      credits[at] = credit - 1;
      let place = places[at] as number;
      while (taken[place] === 1) place = (place + skip) % tableSize;
      taken[place] = 1;
      table[place] = at;
      places[at] = (place + skip) % tableSize;
      filled++;
    }
  }
  return table;
}

function isPrime(number: number): boolean {
  for (let factor = 2; factor * factor <= number; factor++) {
    if (number % factor === 0) return false;
  }
  return number > 1;
}
