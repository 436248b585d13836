import { TenfoldError } from "../runtime/errors.ts";
import { shown } from "../runtime/options.ts";

/**
 * A server as hashing knows it: by a nickname of its own, whatever address it has today. Its other
 * fields, such as the address, are the caller's and move no key.
 */
export interface HashNode {
  /** Unique, 1 … 128 printable characters, no address: it decides which keys are this node's. */
  readonly nickname: string;
  /** Share of keys relative to the other nodes, 0.001 … 1,000,000. Default 1. */
  readonly weight?: number;
  /** The first nickname of a node that was renamed: it keeps its keys. */
  readonly hashedAs?: string;
}

export const hashNodeLimits: {
  readonly nodesMax: number;
  readonly nicknameCharsMax: number;
  readonly weightMin: number;
  readonly weightMax: number;
} = Object.freeze({
  nodesMax: 65_535,
  nicknameCharsMax: 128,
  weightMin: 0.001,
  weightMax: 1_000_000,
});

/** A node that was checked. */
export interface CheckedNode<N> {
  readonly node: N;
  /** What is hashed: the nickname that the node had first. */
  readonly identity: string;
  readonly weight: number;
}

/**
 * The nodes in the order of their identities (UTF-16 code units), which decides ties: so the order
 * of a list moves no key.
 *
 * @throws TENFOLD_HASHING_EMPTY, TENFOLD_HASHING_NICKNAME_INVALID, TENFOLD_HASHING_NICKNAME_TAKEN,
 * TENFOLD_HASHING_WEIGHT_INVALID, TENFOLD_HASHING_TOO_MANY
 */
export function checkedNodes<N extends HashNode>(nodes: readonly N[]): readonly CheckedNode<N>[] {
  checkCount(nodes.length);
  const taken = new Set<string>();
  const checked = nodes.map((node) => {
    const { nickname, hashedAs = nickname, weight = 1 } = node;
    for (const name of new Set([nickname, hashedAs])) checkNickname(name);
    takeName(taken, nickname);
    if (hashedAs !== nickname) takeName(taken, hashedAs);
    const { weightMin, weightMax } = hashNodeLimits;
    if (!(typeof weight === "number" && weight >= weightMin && weight <= weightMax)) {
      throw weightInvalid(nickname, weight, `a number from ${weightMin} to ${weightMax}`);
    }
    return { node, identity: hashedAs, weight };
  });
  return checked.sort((a, b) => (a.identity < b.identity ? -1 : 1));
}

export function checkCount(count: number): void {
  if (count === 0) {
    throw new TenfoldError("TENFOLD_HASHING_EMPTY", "There must be one node at least, got none.");
  }
  if (count > hashNodeLimits.nodesMax) throw tooMany("nodes", hashNodeLimits.nodesMax, count);
}

/** Adds a name that no other node may bear. @throws TENFOLD_HASHING_NICKNAME_TAKEN */
export function takeName(taken: Set<string>, name: string): void {
  if (taken.has(name)) {
    throw new TenfoldError(
      "TENFOLD_HASHING_NICKNAME_TAKEN",
      `Two nodes are called ${JSON.stringify(name)}: every node needs a name of its own.`,
      { details: { nickname: name } },
    );
  }
  taken.add(name);
}

export function weightInvalid(nickname: string, weight: unknown, expected: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_HASHING_WEIGHT_INVALID",
    `The weight of ${nickname} must be ${expected}, got ${shown(weight)}; ` +
      `leave a node out instead of giving it no weight.`,
    { details: { nickname, weight } },
  );
}

export function tooMany(what: string, max: number, count: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_HASHING_TOO_MANY",
    `There may be ${max} ${what} at most, got ${count}.`,
    { details: { what, max, count } },
  );
}

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;
/** IPv4, IPv6 in brackets and bare, and any host with a port. */
const addresses: readonly RegExp[] = [
  /^\d{1,3}(\.\d{1,3}){3}(:\d+)?$/,
  /^\[[\da-f:.]+\](:\d+)?$/i,
  /^[\da-f]*:[\da-f]*:[\da-f:.]*$/i,
  /^[\w.-]+:\d{2,5}$/,
];

function checkNickname(name: unknown): void {
  const { nicknameCharsMax } = hashNodeLimits;
  const fits = typeof name === "string" && name.length <= nicknameCharsMax && printable.test(name);
  const why = !fits
    ? `must be 1 to ${nicknameCharsMax} printable characters`
    : addresses.some((address) => address.test(name))
      ? "must not be an address: addresses change, and the node's keys would move with it"
      : undefined;
  if (why === undefined) return;
  const message = `A nickname ${why}, got ${shown(name, 200)}.`;
  throw new TenfoldError("TENFOLD_HASHING_NICKNAME_INVALID", message, {
    details: { nickname: name },
  });
}
