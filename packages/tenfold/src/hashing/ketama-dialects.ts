import { crc32, type KeyHash, keyHashes } from "./key-hash.ts";
import { md5Words } from "./md5.ts";
import { utf8Bytes } from "./utf8.ts";

export type KetamaDialect =
  | "libketama"
  | "libmemcached"
  | "libmemcached-unweighted"
  | "libmemcached-spy"
  | "spymemcached"
  | "twemproxy"
  | "nginx";

/** A server as a memcached client's or proxy's configuration writes it. */
export interface KetamaServer {
  /** As written there: these texts are hashed. For spymemcached `name/ip`, or `ip` alone. */
  readonly host: string;
  /** 0 … 65,535, 0 for a UNIX socket. Default 11211; for nginx that none is written. */
  readonly port?: number;
  /** A whole number from 1. Default 1. */
  readonly weight?: number;
  /** A name of its own; hashed by twemproxy alone, and the one way to a stable server there. */
  readonly name?: string;
}

/** What the number of a server's points depends on. */
export interface WeightShare {
  readonly weight: number;
  readonly totalWeight: number;
  readonly servers: number;
  /** Does any server state a weight? */
  readonly weighted: boolean;
}

/** What one implementation does its own way. */
export interface DialectRules {
  /** The text that identifies the server. */
  label(server: KetamaServer): string;
  /** How many points the server has. */
  points(share: WeightShare): number;
  /** Writes that many points. */
  write(label: string, keyHash: KeyHash, points: Uint32Array, from: number, count: number): void;
  /** Hashes that keys may have, the default first. */
  readonly keyHashes: readonly [KeyHash, ...KeyHash[]];
  /** Of equal points the last server's counts; elsewhere the first's. */
  readonly lastWins?: boolean;
}

const { fround, floor } = Math;
const memcachedPort = 11_211;
const anyKeyHash = Object.keys(keyHashes) as [KeyHash, ...KeyHash[]];
const startingWith = (first: KeyHash): [KeyHash, ...KeyHash[]] => [
  first,
  ...anyKeyHash.filter((each) => each !== first),
];

const hostAndPort = ({ host, port = memcachedPort }: KetamaServer): string => `${host}:${port}`;
const hostUnlessOtherPort = (server: KetamaServer): string =>
  (server.port ?? memcachedPort) === memcachedPort ? server.host : hostAndPort(server);

/**
 * Every implementation computes the count in its own precision, and rounds 40 digests a server
 * down to 39 at other numbers of servers: n = 61, 122, … in libketama, which multiplies in doubles,
 * n = 25, 47, 50, … where every step is a 32-bit float.
 */
const pointsInDoubles = ({ weight, totalWeight, servers }: WeightShare): number =>
  floor(fround(fround(fround(weight) / fround(totalWeight)) * 40 * servers)) * 4;

const pointsInFloats = ({ weight, totalWeight, servers }: WeightShare): number => {
  const share = fround(fround(weight) / fround(totalWeight));
  return floor(fround(fround(fround(share * 160) / 4) * fround(servers))) * 4;
};

/** Four points from each MD5 of `LABEL-k`. */
function writeDigests(
  label: string,
  _keyHash: KeyHash,
  points: Uint32Array,
  from: number,
  count: number,
): void {
  for (let k = 0; k * 4 < count; k++) points.set(md5Words(`${label}-${k}`), from + k * 4);
}

/** Each point is the CRC of the server and of the point before it. */
function writeChain(
  label: string,
  _keyHash: KeyHash,
  points: Uint32Array,
  from: number,
  count: number,
): void {
  const base = crc32(utf8Bytes(label));
  const before = new Uint8Array(4);
  for (let i = from; i < from + count; i++) {
    const point = crc32(before, base);
    points[i] = point;
    for (let byte = 0; byte < 4; byte++) before[byte] = point >>> (byte * 8);
  }
}

const libmemcached: DialectRules = {
  label: hostUnlessOtherPort,
  points: pointsInFloats,
  write: writeDigests,
  keyHashes: anyKeyHash,
};

/** Read off the sources of each; the vectors of their own tests hold. */
export const ketamaDialects: Readonly<Record<KetamaDialect, DialectRules>> = Object.freeze({
  libketama: {
    label: hostAndPort,
    points: pointsInDoubles,
    write: writeDigests,
    keyHashes: ["md5"],
  },
  libmemcached,
  "libmemcached-unweighted": {
    label: hostUnlessOtherPort,
    points: () => 100,
    write(label, keyHash, points, from, count) {
      for (let k = 0; k < count; k++) points[from + k] = keyHashes[keyHash](`${label}-${k}`);
    },
    keyHashes: startingWith("one-at-a-time"),
  },
  "libmemcached-spy": { ...libmemcached, label: (server) => `/${hostAndPort(server)}` },
  spymemcached: {
    label: (server) => hostAndPort(server).replace(/^\//, ""),
    points: (share) => (share.weighted ? pointsInFloats(share) : 160),
    write: writeDigests,
    keyHashes: ["md5"],
    lastWins: true,
  },
  twemproxy: {
    label: (server) => server.name ?? hostUnlessOtherPort(server),
    points: pointsInFloats,
    write: writeDigests,
    keyHashes: startingWith("fnv1a-64"),
  },
  nginx: {
    label: ({ host, port }) => `${host.replace(/^unix:/i, "")}\0${port ?? ""}`,
    points: ({ weight }) => weight * 160,
    write: writeChain,
    keyHashes: ["crc32"],
  },
});
