import { invalidOption, refuseUnknownKeys } from "../runtime/options.ts";
import { allSteps, continuumLimits, continuumSteps, ownerShares, positionOf } from "./continuum.ts";
import { checkCount, takeName, tooMany, weightInvalid } from "./hash-node.ts";
import { type KetamaDialect, type KetamaServer, ketamaDialects } from "./ketama-dialects.ts";
import { type KeyHash, keyHashes } from "./key-hash.ts";

export interface KetamaOptions {
  /** How keys are hashed, where the dialect leaves a choice. Default: as the dialect does. */
  readonly keyHash?: KeyHash;
}

export interface Ketama<S extends KetamaServer> {
  readonly servers: readonly S[];
  readonly points: number;
  pick(key: Uint8Array | string): S;
  /** The same with its reasons: the key's hash, and the point that it fell to. */
  locate(key: Uint8Array | string): { hash: number; point: number; server: S };
  /** The exact share of all keys of each server, in the order of the list. O(points). */
  shares(): readonly number[];
}

/**
 * The ring of another implementation, byte for byte: for a pool that other clients share. "Ketama"
 * is no format: the same list gives different rings in each dialect. For a pool of your own use
 * `ring`: here a server's points depend on the number of servers and their total weight, so a
 * change of one moves keys between others.
 *
 * @throws TENFOLD_HASHING_EMPTY, TENFOLD_HASHING_NICKNAME_TAKEN, TENFOLD_HASHING_WEIGHT_INVALID,
 * TENFOLD_HASHING_TOO_MANY, TENFOLD_OPTION_INVALID
 */
export function ketama<S extends KetamaServer>(
  dialect: KetamaDialect,
  servers: readonly S[],
  options: KetamaOptions = {},
): Ketama<S> {
  const rules = ketamaDialects[dialect];
  if (rules === undefined) throw oneOf("dialect", Object.keys(ketamaDialects), dialect);
  refuseUnknownKeys("ketama", options, ["keyHash"]);
  const { keyHash = rules.keyHashes[0] } = options;
  if (!rules.keyHashes.includes(keyHash)) throw oneOf("keyHash", rules.keyHashes, keyHash);
  const hashOf = keyHashes[keyHash];
  checkServers(servers);
  const totalWeight = servers.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const weighted = servers.some(({ weight }) => weight !== undefined);
  const labels = new Set<string>();
  const sources = servers.map((server, owner) => {
    const label = rules.label(server);
    takeName(labels, label);
    const { weight = 1 } = server;
    const count = rules.points({ weight, totalWeight, weighted, servers: servers.length });
    if (count > continuumLimits.pointsMax)
      throw tooMany("points", continuumLimits.pointsMax, count);
    const write = (points: Uint32Array, from: number): void =>
      rules.write(label, keyHash, points, from, count);
    return { owner, count, write };
  });
  const ordered = rules.lastWins === true ? sources.reverse() : sources;
  const continuum = allSteps(continuumSteps(ordered));
  const { owners, points, size } = continuum;
  const serverAt = (hash: number): S => servers[owners[positionOf(continuum, hash)] as number] as S;
  return {
    servers,
    points: size,
    pick: (key) => serverAt(hashOf(key)),
    locate(key) {
      const hash = hashOf(key);
      const point = points[positionOf(continuum, hash) % size] as number;
      return { hash, point, server: serverAt(hash) };
    },
    shares: () => [...ownerShares(continuum, servers.length)],
  };
}

/** The greatest weight that C's `unsigned int` holds. */
const weightMax = 0xffff_ffff;

function checkServers(servers: readonly KetamaServer[]): void {
  checkCount(servers.length);
  for (const { host, port, weight = 1, name } of servers) {
    if (typeof host !== "string" || host === "") throw invalidOption("host", "a text", host);
    if (name !== undefined && (typeof name !== "string" || name === "")) {
      throw invalidOption("name", "a text", name);
    }
    const portFits = Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535;
    if (port !== undefined && !portFits) {
      throw invalidOption("port", "a whole number from 0 to 65535", port);
    }
    if (!Number.isInteger(weight) || weight < 1 || weight > weightMax) {
      throw weightInvalid(name ?? host, weight, `a whole number from 1 to ${weightMax}`);
    }
  }
}

function oneOf(option: string, known: readonly string[], came: unknown): Error {
  return invalidOption(option, known.join(", "), came);
}
