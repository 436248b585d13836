import { createHash } from "node:crypto";
import { expect, test } from "vitest";

import { ketama } from "./ketama.ts";
import { type KetamaDialect, type KetamaServer, ketamaDialects } from "./ketama-dialects.ts";
import { keyHashes } from "./key-hash.ts";

/** The list that libketama and libmemcached test themselves with. */
const eight: KetamaServer[] = [600, 300, 200, 350, 1000, 800, 950, 100].map((weight, i) => ({
  host: `10.0.1.${i + 1}`,
  port: 11_211,
  weight,
}));
const on = (host: string, ...ports: number[]): KetamaServer[] =>
  ports.map((port) => ({ host, port }));

test("libketama: the output of its own test program, a million keys", () => {
  const ring = ketama("libketama", eight);
  const output = createHash("md5").update("\n");
  for (let from = 0; from < 1_000_000; from += 10_000) {
    let lines = "";
    for (let key = from; key < from + 10_000; key++) {
      const { hash, point, server } = ring.locate(String(key));
      lines += `${hash} ${point} ${server.host}:${server.port}\n`;
    }
    output.update(lines);
  }
  expect(output.digest("hex")).toBe("5672b131391f5aa2b280936aec1eea74");
}, 30_000);

test("libketama: its points", () => {
  const ring = ketama("libketama", eight);
  expect(ring.points).toBe(1_264);
  const totalWeight = eight.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const counts = eight.map(({ weight = 1 }) =>
    ketamaDialects.libketama.points({ weight, totalWeight, servers: 8, weighted: true }),
  );
  expect(counts).toEqual([176, 88, 56, 104, 296, 236, 280, 28]);
  expect(ring.locate("0")).toMatchObject({ hash: 2_216_742_351, point: 2_217_271_743 });
  expect(ring.locate("1")).toMatchObject({ hash: 943_901_380, point: 949_045_552 });
  expect(ring.locate("test").hash).toBe(3_446_378_249);
  const points = eight.flatMap(({ host }, at) => {
    const own = new Uint32Array(counts[at] as number);
    ketamaDialects.libketama.write(`${host}:11211`, "md5", own, 0, own.length);
    return Array.from(own, (point) => ({ point, host }));
  });
  points.sort((a, b) => a.point - b.point);
  expect([...points.slice(0, 3), points.at(-1)]).toEqual([
    { point: 762_113, host: "10.0.1.5" },
    { point: 2_322_555, host: "10.0.1.5" },
    { point: 3_967_256, host: "10.0.1.6" },
    { point: 4_293_620_028, host: "10.0.1.5" },
  ]);
  const two = ketama("libketama", [
    { host: "127.0.0.1", port: 11_211, weight: 600 },
    { host: "127.0.0.1", port: 11_212, weight: 400 },
  ]);
  expect(two.points).toBe(320);
  expect(two.locate("test")).toMatchObject({ point: 3_454_255_383, server: { port: 11_211 } });
});

test.each([
  ["SVa_]_V41)", 443_691_461, 445_379_617, "10.0.1.7"],
  ["*/Z;?V(.\\8", 1_422_915_503, 1_428_303_028, "10.0.1.1"],
  ["30C1*Z*S/_", 1_473_165_754, 1_480_075_959, "10.0.1.2"],
])("libmemcached, weighted: %j", (key, hash, point, host) => {
  expect(ketama("libmemcached", eight).locate(key)).toMatchObject({
    hash,
    point,
    server: { host },
  });
});

// Of that fixture's points only the servers are its own dialect's.
test.each([
  ["SVa_]_V41)", "10.0.1.2"],
  ["*/Z;?V(.\\8", "10.0.1.4"],
  ["ERR:EC58G>", "10.0.1.7"],
  ["P1[Ma3=K1/", "10.0.1.1"],
])("libmemcached, labels of spymemcached: %j", (key, host) => {
  expect(ketama("libmemcached-spy", eight).pick(key).host).toBe(host);
});

test("a key beyond the last point wraps to the first", () => {
  const ring = ketama("libmemcached", eight);
  const { hash, point } = ring.locate("VDEAAAAA");
  expect(hash).toBe(0xfffcd1b5);
  expect(point).toBeLessThan(hash);
  expect(point).toBe(Math.min(...keys.map((key) => ring.locate(key).point)));
});

test("libmemcached, unweighted: a hundred points a server, one hash each", () => {
  const servers = [{ host: "a" }, { host: "b", port: 11_212 }];
  const ring = ketama("libmemcached-unweighted", servers);
  expect(ring.points).toBe(200);
  const hash = keyHashes["one-at-a-time"];
  for (let k = 0; k < 100; k++) {
    expect(ring.locate(`a-${k}`)).toMatchObject({ hash: hash(`a-${k}`), server: { host: "a" } });
    expect(ring.pick(`b:11212-${k}`).host).toBe("b");
  }
  const md5 = ketama("libmemcached-unweighted", servers, { keyHash: "md5" });
  expect(md5.locate("b:11212-99")).toMatchObject({ point: keyHashes.md5("b:11212-99") });
});

test("spymemcached: its own tests", () => {
  const four = ketama("spymemcached", on("127.0.0.1", 10_000, 10_001, 10_002, 10_003));
  const five = ketama("spymemcached", on("127.0.0.1", 10_000, 10_001, 10_002, 10_003, 10_004));
  const of = (ring: typeof four, key: string) => (ring.pick(key).port ?? 0) - 10_000;
  const points = new Uint32Array(4 * 160);
  for (const [at, port] of [10_000, 10_001, 10_002, 10_003].entries()) {
    ketamaDialects.spymemcached.write(`127.0.0.1:${port}`, "md5", points, at * 160, 160);
  }
  expect(Math.max(...points)).toBe(4_294_887_009);
  expect([of(four, "dustin"), of(four, "noelani"), of(four, "some other key")]).toEqual([0, 2, 0]);
  expect(of(five, "some other key")).toBe(4);
  const keysOf: [string, number][] = [
    ["36", 2],
    ["10037", 3],
    ["22051", 1],
    ["49044", 4],
  ];
  for (const [key, server] of keysOf) expect(of(five, key), key).toBe(server);
  // Java prints an address without a name as "/ip".
  const slashed = ketama("spymemcached", on("/127.0.0.1", 10_000, 10_001, 10_002, 10_003));
  for (const key of keys.slice(0, 500)) expect(of(slashed, key)).toBe(of(four, key));
});

test("twemproxy: points by MD5 of the name, keys by the low half of FNV-1a", () => {
  const ring = ketama("twemproxy", [
    { host: "10.0.0.1", port: 6379, name: "server1" },
    { host: "10.0.0.2", port: 6379, name: "server2" },
  ]);
  expect(ring.locate("apple").hash).toBe(1_488_911_807);
  const named = ketama("twemproxy", [{ host: "x", name: "server1" }], { keyHash: "md5" });
  const points = new Uint32Array(160);
  ketamaDialects.twemproxy.write("server1", "md5", points, 0, 160);
  expect([points[32], points[35]]).toEqual([3_853_726_576, 2_667_054_752]);
  expect(named.locate("server1-8").point).toBe(3_853_726_576);
  // A named server stays itself at another address; an unnamed one does not.
  const elsewhere = ketama("twemproxy", [
    { host: "10.9.9.9", port: 7000, name: "server1" },
    { host: "10.9.9.8", port: 7000, name: "server2" },
  ]);
  for (const key of keys.slice(0, 500)) {
    expect(elsewhere.pick(key).name).toBe(ring.pick(key).name);
  }
});

test("nginx: a chain of CRCs", () => {
  const ring = ketama("nginx", on("127.0.0.1", 8081, 8082, 8083));
  expect(ring.points).toBe(480);
  expect(ring.locate("foo")).toMatchObject({ hash: 2_356_372_769, server: { port: 8081 } });
  expect(ring.locate("bar")).toMatchObject({ hash: 1_996_459_178, server: { port: 8083 } });
  const found = new Map(
    keys.map((key) => {
      const { point, server } = ring.locate(key);
      return [point, server.port];
    }),
  );
  const first = [...found].sort(([a], [b]) => a - b).slice(0, 3);
  expect(first).toEqual([
    [858_133, 8081],
    [4_193_833, 8081],
    [5_735_281, 8083],
  ]);
  // Weights are absolute: another server's changes no point of this one.
  const heavier = ketama("nginx", [{ host: "a", weight: 3 }, { host: "unix:/run/b" }]);
  expect(heavier.points).toBe(640);
});

/** Numbers of equal servers at which a dialect gives each of them less than 160 points. */
function short(dialect: KetamaDialect): number[] {
  const { points } = ketamaDialects[dialect];
  return Array.from({ length: 1_000 }, (_, i) => i + 1).filter(
    (n) => points({ weight: 1, totalWeight: n, servers: n, weighted: true }) !== 160,
  );
}

test("rounding: each dialect loses points at its own numbers of servers", () => {
  expect(short("libketama")).toEqual([61, 122, 237, 244, 474, 488, 933, 948, 951, 953, 976]);
  for (const dialect of ["libmemcached", "twemproxy", "spymemcached"] as const) {
    const lost = short(dialect);
    expect(lost.slice(0, 8)).toEqual([25, 47, 50, 55, 61, 71, 94, 100]);
    expect(lost).toHaveLength(103);
  }
  expect(short("nginx")).toEqual([]);
  // spymemcached without weights does not compute at all.
  const plain = { weight: 1, totalWeight: 25, servers: 25, weighted: false };
  expect(ketamaDialects.spymemcached.points(plain)).toBe(160);
});

// Checked once against the fixtures of libmemcached (99 of 99 in both dialects); fixed since.
test.each<[KetamaDialect, string]>([
  ["libketama", "553839f8a07ddfe3299b9fb44e068d23"],
  ["libmemcached", "741093125ac2802afd405e03d8db3102"],
  ["libmemcached-spy", "104f418af298a42e5916d9d1b72781c6"],
  ["libmemcached-unweighted", "02da575909248e0bc185954843d23d1e"],
  ["spymemcached", "553839f8a07ddfe3299b9fb44e068d23"],
  ["twemproxy", "702851448fbce0f44ec21e6529dfb290"],
  ["nginx", "08e7a83a6a04f6298ca4192b266d6361"],
])("%s: where 100,000 keys are", (dialect, expected) => {
  const ring = ketama(dialect, eight);
  const owners = keys.map((key) => ring.pick(key).host).join();
  expect(createHash("md5").update(owners).digest("hex")).toBe(expected);
});

test("equal points: the last server's in spymemcached, the first's elsewhere", () => {
  // These two have one point in common, found by search.
  const [a, b] = [
    { host: "h412", port: 1 },
    { host: "h477", port: 1 },
  ];
  const gain = (dialect: KetamaDialect) =>
    (ketama(dialect, [a, b]).shares()[0] ?? 0) - (ketama(dialect, [b, a]).shares()[1] ?? 0);
  expect(gain("libketama")).toBeGreaterThan(0);
  expect(gain("libmemcached")).toBeGreaterThan(0);
  expect(gain("spymemcached")).toBe(-gain("libketama"));
});

test("the shares are those that keys get", () => {
  const ring = ketama("libketama", eight);
  const shares = ring.shares();
  expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1, 12);
  for (const [at, server] of eight.entries()) {
    const counted = keys.filter((key) => ring.pick(key) === server).length / keys.length;
    expect(Math.abs(counted - (shares[at] ?? 0))).toBeLessThan(0.01);
  }
});

const keys: string[] = Array.from({ length: 100_000 }, (_, i) => `key-${i}`);

test.each<[string, () => unknown, string]>([
  ["no servers", () => ketama("libketama", []), "TENFOLD_HASHING_EMPTY"],
  ["twice", () => ketama("libketama", on("a", 1, 1)), "TENFOLD_HASHING_NICKNAME_TAKEN"],
  ["weight 0", () => ketama("nginx", [{ host: "a", weight: 0 }]), "TENFOLD_HASHING_WEIGHT_INVALID"],
  ["weight 1.5", () => ketama("nginx", [{ host: "a", weight: 1.5 }]), "got 1.5"],
  ["weight NaN", () => ketama("libketama", [{ host: "a", weight: Number.NaN }]), "got NaN"],
  ["enormous", () => ketama("libketama", [{ host: "a", weight: 2 ** 32 }]), "got 4294967296"],
  ["points", () => ketama("nginx", [{ host: "a", weight: 60_000 }]), "TENFOLD_HASHING_TOO_MANY"],
  ["no host", () => ketama("libketama", [{ host: "" }]), "TENFOLD_OPTION_INVALID"],
  ["no name", () => ketama("twemproxy", [{ host: "a", name: "" }]), "TENFOLD_OPTION_INVALID"],
  ["port", () => ketama("libketama", on("a", 65_536)), "got 65536"],
  ["hash", () => ketama("libketama", on("a", 1), { keyHash: "crc32" }), "must be md5"],
  ["dialect", () => ketama("ketama" as KetamaDialect, on("a", 1)), "must be libketama,"],
])("refused: %s", (_what, make, expected) => {
  let text = "";
  try {
    make();
  } catch (error) {
    text = `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
  expect(text).toContain(expected);
});
