import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { isIPv4 } from "node:net";

import {
  type DnsQuestion,
  decodeQuestion,
  encodeAnswer,
  type ResourceRecord,
  responseCodes,
} from "./dns-message.ts";

/** A record as a test writes it. */
export type ZoneRecord =
  | { readonly type: "A" | "AAAA"; readonly address: string; readonly ttl: number }
  | {
      readonly type: "SRV";
      readonly target: string;
      readonly port: number;
      readonly ttl: number;
      readonly priority?: number;
      readonly weight?: number;
    };

/** answer: what the zone says. silent: nothing. The others: that code, to every question. */
export type DnsServerMode = "answer" | "silent" | "servfail" | "refused";

/** An authoritative DNS server over UDP whose zone can be changed while it runs. */
export interface DnsServer {
  readonly port: number;
  /** `127.0.0.1:port`, as resolvers want it. */
  readonly address: string;
  mode: DnsServerMode;
  /** Every question so far: `A posts.internal`. The oldest 10,000. */
  readonly asked: readonly string[];
  /** Replaces all records of a name. None: the name is there, without records of any kind. */
  set(name: string, records: readonly ZoneRecord[]): void;
  /** From now on the name does not exist. */
  remove(name: string): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const askedMax = 10_000;

/**
 * Starts a server on 127.0.0.1. It answers A, AAAA and SRV by its zone, with NXDOMAIN or an empty
 * answer as RFC 2308 has them, and drops what is no question.
 */
export async function startDnsServer(options: { readonly port?: number } = {}): Promise<DnsServer> {
  const zone = new Map<string, readonly ZoneRecord[]>();
  const asked: string[] = [];
  const socket = createSocket("udp4");
  let mode: DnsServerMode = "answer";

  const answer = (question: DnsQuestion): Buffer | undefined => {
    if (mode === "silent") return undefined;
    if (mode === "servfail") return encodeAnswer(question, responseCodes.serverFailure, []);
    if (mode === "refused") return encodeAnswer(question, responseCodes.refused, []);
    const records = zone.get(question.name.toLowerCase());
    if (records === undefined) return encodeAnswer(question, responseCodes.nameError, []);
    const wanted = records.filter(({ type }) => type === question.type).map(resourceRecord);
    return encodeAnswer(question, responseCodes.none, wanted);
  };
  const onMessage = (message: Buffer, from: RemoteInfo): void => {
    const question = decodeQuestion(message);
    if (question === undefined) return;
    if (asked.length < askedMax) asked.push(`${question.type} ${question.name}`);
    const reply = answer(question);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  };
  socket.on("message", onMessage);
  socket.bind(options.port ?? 0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= new Promise((resolve) => socket.close(() => resolve()));
    return closed;
  };
  return {
    port,
    address: `127.0.0.1:${port}`,
    get mode() {
      return mode;
    },
    set mode(next) {
      mode = next;
    },
    asked,
    set: (name, records) => void zone.set(name.toLowerCase(), records),
    remove: (name) => void zone.delete(name.toLowerCase()),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function resourceRecord(record: ZoneRecord): ResourceRecord {
  if (record.type === "SRV") {
    const { priority = 0, weight = 0, port, target, ttl } = record;
    return { type: "SRV", ttl, priority, weight, port, target };
  }
  if (isIPv4(record.address) !== (record.type === "A")) {
    throw new RangeError(`${record.address} is no address of an ${record.type} record`);
  }
  const { address, ttl } = record;
  return { type: record.type === "A" ? "A" : "AAAA", address, ttl };
}
