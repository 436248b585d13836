import ipaddr from "ipaddr.js";

/** Networks in CIDR notation and the ISO 3166 code of each one's country. */
export type CountryTable = readonly (readonly [network: string, country: string])[];

const recordBytes = 3;
const separator = Buffer.alloc(16);
const metadataMarker = Buffer.from("\xab\xcd\xefMaxMind.com", "latin1");
const type = { text: 2, uint16: 5, uint32: 6, map: 7, uint64: 9, array: 11 } as const;

/** A branch of the tree: to another branch, to a country, or to nothing. */
type Target = Branch | string | undefined;
interface Branch {
  readonly to: [Target, Target];
}

/**
 * A file in MaxMind's format 2.0 that maps the table's networks to `{country: {iso_code}}`; meant
 * for small tables. IPv4 stands at ::/96, as readers expect; networks must not overlap.
 *
 * @param builtAtMs wall-clock milliseconds for the metadata.
 * @throws RangeError for a network that is none, or overlaps one before it
 */
export function countryFile(table: CountryTable, builtAtMs: number): Buffer {
  const root: Branch = { to: [undefined, undefined] };
  for (const [network, country] of table) insert(root, networkBits(network), country, network);
  const branches = allBranches(root);
  const number = new Map(branches.map((branch, index) => [branch, index]));
  const countries = [...new Set(table.map(([, country]) => country))];
  const values = countries.map((country) => map({ country: map({ iso_code: text(country) }) }));
  const offsets = new Map<string, number>();
  let offset = 0;
  for (const [index, country] of countries.entries()) {
    offsets.set(country, offset);
    offset += (values[index] as Buffer).length;
  }
  const record = (target: Target): number => {
    if (target === undefined) return branches.length;
    if (typeof target !== "string") return number.get(target) as number;
    return branches.length + separator.length + (offsets.get(target) as number);
  };
  const tree = Buffer.alloc(branches.length * 2 * recordBytes);
  for (const [index, target] of branches.flatMap((branch) => branch.to).entries()) {
    tree.writeUIntBE(record(target), index * recordBytes, recordBytes);
  }
  return Buffer.concat([
    tree,
    separator,
    ...values,
    metadataMarker,
    metadata(branches.length, builtAtMs),
  ]);
}

function metadata(nodeCount: number, builtAtMs: number): Buffer {
  return map({
    node_count: uint(type.uint32, nodeCount),
    record_size: uint(type.uint16, recordBytes * 8),
    ip_version: uint(type.uint16, 6),
    database_type: text("Tenfold-Demo-Country"),
    languages: control(type.array, 0),
    binary_format_major_version: uint(type.uint16, 2),
    binary_format_minor_version: uint(type.uint16, 0),
    build_epoch: uint(type.uint64, Math.floor(builtAtMs / 1000)),
    description: map({ en: text("Documentation ranges under made-up countries") }),
  });
}

function insert(root: Branch, bits: readonly number[], country: string, network: string): void {
  let branch = root;
  for (const bit of bits.slice(0, -1)) {
    const next = branch.to[bit as 0 | 1] ?? { to: [undefined, undefined] };
    if (typeof next === "string") throw new RangeError(`${network} overlaps another network`);
    branch.to[bit as 0 | 1] = next;
    branch = next;
  }
  const last = bits.at(-1) as 0 | 1;
  if (branch.to[last] !== undefined) throw new RangeError(`${network} overlaps another network`);
  branch.to[last] = country;
}

function networkBits(network: string): number[] {
  if (!ipaddr.isValidCIDR(network)) throw new RangeError(`${network} is not a network`);
  const [address, prefix] = ipaddr.parseCIDR(network);
  const bytes = address.toByteArray();
  const bits = bytes.flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((at) => (byte >> at) & 1));
  const leading = address.kind() === "ipv4" ? Array<number>(96).fill(0) : [];
  return [...leading, ...bits.slice(0, prefix)];
}

function allBranches(root: Branch): Branch[] {
  const found = [root];
  // The list grows while it is walked: parents before children, the root first.
  for (const branch of found) {
    for (const target of branch.to) if (typeof target === "object") found.push(target);
  }
  return found;
}

/** The control byte of a value: its type and its size, both small here. */
function control(kind: number, size: number): Buffer {
  const [first, rest] = size < 29 ? [size, []] : [29, [size - 29]];
  if (size > 29 + 255) throw new RangeError(`a value of ${size} bytes is too long`);
  return Buffer.from(kind <= 7 ? [(kind << 5) | first, ...rest] : [first, kind - 7, ...rest]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([control(type.text, bytes.length), bytes]);
}

function uint(kind: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  const significant = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  const shown = value === 0 ? Buffer.alloc(0) : significant;
  return Buffer.concat([control(kind, shown.length), shown]);
}

function map(entries: Readonly<Record<string, Buffer>>): Buffer {
  const pairs = Object.entries(entries);
  const parts = pairs.flatMap(([key, value]) => [text(key), value]);
  return Buffer.concat([control(type.map, pairs.length), ...parts]);
}
