import { ConnectionError, errorCode } from "./frames.ts";
import { decodeHuffman } from "./huffman.ts";

/** Names in lower case; what came twice is joined by a comma. */
export type Headers = Readonly<Record<string, string>>;

/** RFC 7541, appendix A: names, and values where there are any. */
const staticTable: readonly (readonly [string, string])[] = (
  ":authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|" +
  ":status 200|:status 204|:status 206|:status 304|:status 400|:status 404|:status 500|" +
  "accept-charset|accept-encoding gzip, deflate|accept-language|accept-ranges|accept|" +
  "access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|" +
  "content-encoding|content-language|content-length|content-location|content-range|" +
  "content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|" +
  "if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|" +
  "proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|" +
  "set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"
)
  .split("|")
  .map((entry) => {
    const [name = "", ...value] = entry.split(" ");
    return [name, value.join(" ")] as const;
  });

/** The default, which we do not change. */
const tableBytesMax = 4_096;
const entryOverheadBytes = 32;
/** Of one request, decoded, each entry with its overhead. */
export const headerListBytesMax = 16_384;
/** Blocks that a connection sends again and again. */
const knownBlocksMax = 64;
const knownBlockBytesMax = 1_024;

type Entry = readonly [name: string, value: string];

/** Undefined stands for a request that is to be refused; the table has learnt from it. */
export interface HeaderDecoder {
  /** @throws ConnectionError when the block cannot be read: nothing after it could be either */
  decode(block: Buffer): Headers | undefined;
}

/** Of one connection: blocks must come in their order. */
export function headerDecoder(): HeaderDecoder {
  const table = dynamicTable();
  // Clients send few different blocks once their tables have settled.
  const known = new Map<string, Headers | undefined>();
  return {
    decode(block) {
      const name = block.toString("latin1");
      if (known.has(name)) return known.get(name);
      const before = table.version;
      const headers = headersOf(readBlock(block, table));
      if (table.version !== before || known.size >= knownBlocksMax) known.clear();
      const isSettled = table.version === before && block.length <= knownBlockBytesMax;
      if (isSettled) known.set(name, headers);
      return headers;
    },
  };
}

interface DynamicTable {
  /** Changes with every change. */
  readonly version: number;
  add(entry: Entry): void;
  resize(bytes: number): void;
  at(index: number): Entry;
}

function dynamicTable(): DynamicTable {
  /** The newest last. */
  const entries: Entry[] = [];
  let size = 0;
  let sizeMax = tableBytesMax;
  let version = 0;
  const evict = (): void => {
    while (size > sizeMax) size -= bytesOf(entries.shift() as Entry);
  };
  return {
    get version() {
      return version;
    },
    add(entry) {
      version++;
      entries.push(entry);
      size += bytesOf(entry);
      evict();
    },
    resize(bytes) {
      if (bytes > tableBytesMax) throw unreadable("a table larger than agreed");
      version++;
      sizeMax = bytes;
      evict();
    },
    at(index) {
      const entry =
        index <= staticTable.length
          ? staticTable[index - 1]
          : entries.at(staticTable.length - index);
      if (entry === undefined) throw unreadable("an entry that is not there");
      return entry;
    },
  };
}

function bytesOf([name, value]: Entry): number {
  return name.length + value.length + entryOverheadBytes;
}

/** What a request says, or undefined when it says too much. */
function readBlock(block: Buffer, table: DynamicTable): Entry[] | undefined {
  const reader = { block, at: 0 };
  const entries: Entry[] = [];
  let size = 0;
  while (reader.at < block.length) {
    const first = block[reader.at] as number;
    if ((first & 0xe0) === 0x20) {
      if (entries.length > 0) throw unreadable("a change of the table within a request");
      table.resize(readInteger(reader, 5));
      continue;
    }
    const entry = first >= 0x80 ? table.at(readInteger(reader, 7)) : readLiteral(reader, table);
    size += bytesOf(entry);
    if (size <= headerListBytesMax) entries.push(entry);
  }
  return size <= headerListBytesMax ? entries : undefined;
}

interface Reader {
  readonly block: Buffer;
  at: number;
}

function readLiteral(reader: Reader, table: DynamicTable): Entry {
  const isKept = ((reader.block[reader.at] as number) & 0xc0) === 0x40;
  const index = readInteger(reader, isKept ? 6 : 4);
  const name = index === 0 ? readText(reader) : table.at(index)[0];
  const entry = [name, readText(reader)] as const;
  if (isKept) table.add(entry);
  return entry;
}

function readInteger(reader: Reader, prefixBits: number): number {
  const mask = 2 ** prefixBits - 1;
  let value = nextByte(reader) & mask;
  if (value < mask) return value;
  for (let scale = 1; ; scale *= 128) {
    const byte = nextByte(reader);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    if (scale > 2 ** 20) throw unreadable("a number too large");
  }
}

function readText(reader: Reader): string {
  const isHuffman = ((reader.block[reader.at] ?? 0) & 0x80) !== 0;
  const length = readInteger(reader, 7);
  const start = reader.at;
  reader.at += length;
  if (reader.at > reader.block.length) throw unreadable("a text longer than its block");
  if (!isHuffman) return reader.block.toString("latin1", start, reader.at);
  return decodeHuffman(reader.block.subarray(start, reader.at));
}

function nextByte(reader: Reader): number {
  const byte = reader.block[reader.at++];
  if (byte === undefined) throw unreadable("a block that ends inside a field");
  return byte;
}

const pseudoNames: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path"]);
const ofOneConnection: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"],
]);

/** Undefined for what RFC 9113, 8.2 and 8.3, calls malformed. */
function headersOf(entries: readonly Entry[] | undefined): Headers | undefined {
  if (entries === undefined) return undefined;
  const headers: Record<string, string> = Object.create(null);
  let isRegular = false;
  for (const [name, value] of entries) {
    const isPseudo = name.startsWith(":");
    if (isPseudo && (isRegular || !pseudoNames.has(name) || name in headers)) return undefined;
    isRegular ||= !isPseudo;
    if (name === "" || /[A-Z\s\0]/.test(name) || /[\r\n\0]/.test(value)) return undefined;
    if (ofOneConnection.has(name) || (name === "te" && value !== "trailers")) return undefined;
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return headers;
}

/** Every field in full: nothing is kept by the other side, so the same bytes serve for all. */
export function encodeHeaders(fields: Readonly<Record<string, string>>): Buffer {
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (name === ":status" && value === "200") parts.push(Uint8Array.of(0x88));
    else parts.push(Uint8Array.of(0), encodeText(name), encodeText(value));
  }
  return Buffer.concat(parts);
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const head: number[] = [];
  if (bytes.length < 0x7f) head.push(bytes.length);
  else {
    head.push(0x7f);
    let rest = bytes.length - 0x7f;
    for (; rest > 0x7f; rest >>= 7) head.push((rest & 0x7f) | 0x80);
    head.push(rest);
  }
  return Buffer.concat([Uint8Array.from(head), bytes]);
}

function unreadable(what: string): ConnectionError {
  return new ConnectionError(errorCode.compression, `unreadable headers: ${what}`);
}
