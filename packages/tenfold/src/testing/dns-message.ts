/** One question of a DNS message, and what an answer must repeat of it (RFC 1035, section 4). */
export interface DnsQuestion {
  readonly name: string;
  /** `A`, `AAAA`, `SRV`, or the number of another type. */
  readonly type: string;
  /** Header and question as they came. */
  readonly head: Buffer;
}

export type ResourceRecord =
  | { readonly type: "A"; readonly address: string; readonly ttl: number }
  | { readonly type: "AAAA"; readonly address: string; readonly ttl: number }
  | {
      readonly type: "SRV";
      readonly ttl: number;
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    };

export const responseCodes: {
  readonly none: number;
  readonly serverFailure: number;
  readonly nameError: number;
  readonly refused: number;
} = Object.freeze({ none: 0, serverFailure: 2, nameError: 3, refused: 5 });

const typeNumbers = { A: 1, AAAA: 28, SRV: 33 } as const;
const headerBytes = 12;
/** The question's name, which stands right after the header. */
const nameOfQuestion = Buffer.from([0xc0, headerBytes]);
const internet = 1;
/** For negative answers: how long they may be kept. */
const minimumSeconds = 1;

/** Undefined for what is no query with one question. */
export function decodeQuestion(message: Buffer): DnsQuestion | undefined {
  const isQuery = message.length > headerBytes && ((message[2] as number) & 0x80) === 0;
  if (!isQuery || message.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = message[at];
    // A question's name is never compressed.
    if (length === undefined || length > 63) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(message.toString("latin1", at, at + length));
    at += length;
  }
  if (at + 4 > message.length) return undefined;
  const number = message.readUInt16BE(at);
  const [type = String(number)] =
    Object.entries(typeNumbers).find(([, known]) => known === number) ?? [];
  return { name: labels.join("."), type, head: message.subarray(0, at + 4) };
}

export function encodeAnswer(
  question: DnsQuestion,
  code: number,
  records: readonly ResourceRecord[],
): Buffer {
  const head = Buffer.from(question.head);
  // Response, authoritative; "recursion desired" is repeated.
  head[2] = 0x84 | ((head[2] as number) & 0x01);
  head[3] = code;
  const negative = records.length === 0 && (code === 0 || code === responseCodes.nameError);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt16BE(negative ? 1 : 0, 8);
  head.writeUInt16BE(0, 10);
  return Buffer.concat([head, ...records.map(encodeRecord), ...(negative ? [startOfZone()] : [])]);
}

function encodeRecord(record: ResourceRecord): Buffer {
  return resource(typeNumbers[record.type], record.ttl, dataOf(record));
}

function dataOf(record: ResourceRecord): Buffer {
  if (record.type === "A") return Buffer.from(record.address.split(".").map(Number));
  if (record.type === "AAAA") return addressOf6(record.address);
  const fixed = Buffer.alloc(6);
  fixed.writeUInt16BE(record.priority, 0);
  fixed.writeUInt16BE(record.weight, 2);
  fixed.writeUInt16BE(record.port, 4);
  return Buffer.concat([fixed, encodeName(record.target)]);
}

/** SOA: tells how long a negative answer may be kept (RFC 2308). */
function startOfZone(): Buffer {
  const numbers = Buffer.alloc(20);
  numbers.writeUInt32BE(minimumSeconds, 16);
  const data = Buffer.concat([encodeName("ns"), encodeName("admin"), numbers]);
  return resource(6, minimumSeconds, data);
}

function resource(type: number, ttl: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(internet, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([nameOfQuestion, fixed, data]);
}

function encodeName(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  const parts = labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function addressOf6(address: string): Buffer {
  const [left = "", right] = address.split("::");
  const groups = (text: string): string[] => text.split(":").filter((group) => group !== "");
  const before = groups(left);
  const after = groups(right ?? "");
  const zeros = right === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array.from({ length: zeros }, () => "0"), ...after];
  const data = Buffer.alloc(16);
  for (const [at, group] of all.entries()) data.writeUInt16BE(Number.parseInt(group, 16), at * 2);
  return data;
}
