import { type Connection, openConnection } from "../engines/etcd/connection.ts";
import { grpcStatus } from "../engines/etcd/grpc-frame.ts";
import {
  compactionRequest,
  compactionResponse,
  hashKvRequest,
  hashKvResponse,
} from "../engines/etcd/maintenance-messages.ts";
import {
  methods,
  rangeRequest,
  rangeResponse,
  txnRequest,
  txnResponse,
  type WatchResponse,
  watchRequest,
  watchResponse,
} from "../engines/etcd/messages.ts";
import {
  type Decoded,
  decode,
  type Encodable,
  encode,
  type Fields,
} from "../engines/etcd/protobuf.ts";
import type { RpcError } from "../engines/etcd/rpc-error.ts";
import { unaryCall } from "../engines/etcd/unary-call.ts";
import type { SocketAddress } from "../runtime/network.ts";
import { systemRuntime } from "../runtime/runtime.ts";
import { eventually } from "./coordinator-steps.ts";
import type { EtcdMember } from "./etcd-cluster.ts";

const hashOfNothing = "unreported: the hash of an emptied store";

/**
 * Whether a fault was seen on one server, which bare requests provoke, so that no client mends or
 * hides it. By issue; of the faults that are missing here `etcdFaults` says why.
 */
export const reproductions: Readonly<Record<string, (server: EtcdMember) => Promise<boolean>>> = {
  [hashOfNothing]: hashOfEmptiedStore,
  "etcd-io/etcd#14325": hashRefusedAtCompaction,
  "etcd-io/etcd#15220": markAheadOfEvents,
  "etcd-io/etcd#18089": deletionMissedAtCompaction,
  "etcd-io/etcd#22376": valueLostByCompaction,
  "etcd-io/etcd#22445": panicOfTransaction,
};

const bytes = (text: string): Uint8Array => Buffer.from(text);

function openRaw({ host, port }: SocketAddress): Promise<Connection> {
  const endpoint = { host, port, secure: false, origin: `http://${host}:${port}` };
  return openConnection(endpoint, {}, systemRuntime, new AbortController().signal);
}

async function ask<Asked extends Fields, Answer extends Fields>(
  peer: Connection,
  [path, asked, answer]: readonly [string, Asked, Answer],
  request: Encodable<Asked>,
): Promise<Decoded<Answer>> {
  return decode(answer, await unaryCall(peer, path, {}, encode(asked, request)));
}

const calls = {
  txn: [methods.txn, txnRequest, txnResponse],
  range: [methods.range, rangeRequest, rangeResponse],
  compact: [methods.compact, compactionRequest, compactionResponse],
  hash: [methods.hashKv, hashKvRequest, hashKvResponse],
} as const;

/** The revision that it made. */
async function put(peer: Connection, key: string): Promise<bigint> {
  const success = [{ put: { key: bytes(key), value: bytes("v") } }];
  const { header } = await ask(peer, calls.txn, { success });
  return header?.revision ?? 0n;
}

async function remove(peer: Connection, key: string): Promise<bigint> {
  const success = [{ deleteRange: { key: bytes(key) } }];
  return (await ask(peer, calls.txn, { success })).header?.revision ?? 0n;
}

async function isThere(peer: Connection, key: string): Promise<boolean> {
  return (await ask(peer, calls.range, { key: bytes(key) })).count > 0n;
}

/** What a watch of all keys is told until `isOver`. */
async function told(
  peer: Connection,
  startRevision: bigint,
  isOver: (last: WatchResponse) => boolean,
  asksProgress = false,
): Promise<WatchResponse[]> {
  const all: WatchResponse[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const message = (answer: Uint8Array): void => {
    const one = decode(watchResponse, answer);
    all.push(one);
    if (isOver(one)) resolve();
  };
  const end = (error?: Error): void => reject(error ?? new Error("the stream ended"));
  const call = peer.call(methods.watch, {}, { message, end });
  const create = { key: bytes("\0"), rangeEnd: bytes("\0"), startRevision };
  call.send(encode(watchRequest, { create }));
  if (asksProgress) call.send(encode(watchRequest, { progress: {} }));
  await promise;
  call.cancel();
  return all;
}

const isLast = (revision: bigint) => (one: WatchResponse) =>
  one.canceled || one.events.at(-1)?.kv?.modRevision === revision;

/** A mark at the head of the store, before the events up to there. */
async function markAheadOfEvents(member: EtcdMember): Promise<boolean> {
  const peer = await openRaw(member.address);
  let last = 0n;
  for (let i = 0; i < 50; i++) last = await put(peer, `${i}`);
  for (let i = 0; i < 20; i++) {
    const all = await told(peer, 1n, isLast(last), true);
    const mark = all.findIndex(({ watchId }) => watchId === -1n);
    const isEarly = mark >= 0 && all.slice(mark).some(({ events }) => events.length > 0);
    if (isEarly && all[mark]?.header?.revision === last) return true;
  }
  return false;
}

/** A watch that begins at the revision of a deletion to which the history was compacted. */
async function deletionMissedAtCompaction(member: EtcdMember): Promise<boolean> {
  const peer = await openRaw(member.address);
  await put(peer, "a");
  const gone = await remove(peer, "a");
  const last = await put(peer, "b");
  await ask(peer, calls.compact, { revision: gone, physical: true });
  const all = await told(peer, gone, isLast(last));
  const events = all.flatMap((one) => one.events);
  return !all.some(({ canceled }) => canceled) && events.length === 1;
}

/** Everything deleted and a key put again in one transaction, then a compaction and a restart. */
async function valueLostByCompaction(member: EtcdMember): Promise<boolean> {
  const before = await openRaw(member.address);
  await put(before, "a");
  const success = [
    { deleteRange: { key: bytes("\0"), rangeEnd: bytes("\0") } },
    { put: { key: bytes("a"), value: bytes("new") } },
  ];
  const { header } = await ask(before, calls.txn, { success });
  await put(before, "b");
  await ask(before, calls.compact, { revision: header?.revision ?? 0n, physical: true });
  before.close();
  await member.restart();
  let after: Connection | undefined;
  await eventually("it serves again", async () => {
    after ??= await openRaw(member.address).catch(() => undefined);
    return after !== undefined && (await isThere(after, "b").catch(() => false));
  });
  return !(await isThere(after as Connection, "a"));
}

/** The same, and the put keeps a value that is gone: the server ends, and so on every start. */
async function panicOfTransaction(member: EtcdMember): Promise<boolean> {
  const peer = await openRaw(member.address);
  await put(peer, "a");
  const success = [
    { deleteRange: { key: bytes("a"), rangeEnd: bytes("\0") } },
    { put: { key: bytes("a"), ignoreValue: true } },
  ];
  const { child } = member;
  const isRefused = await ask(peer, calls.txn, { success }).then(
    () => false,
    (error: unknown) => (error as RpcError).status === grpcStatus.invalidArgument,
  );
  if (isRefused) return false;
  await eventually("it ends", () => child.exitCode !== null);
  // What was agreed on is carried out again at the next start, before or after its port is open.
  await member.restart().catch(() => {});
  await eventually("it ends again", () => member.child.exitCode !== null);
  return true;
}

/** The revision to which was compacted can be read, and its hash is refused. */
async function hashRefusedAtCompaction(member: EtcdMember): Promise<boolean> {
  const peer = await openRaw(member.address);
  const revision = await put(peer, "a");
  await ask(peer, calls.compact, { revision, physical: true });
  const read = await ask(peer, calls.range, { key: bytes("a"), revision });
  return ask(peer, calls.hash, { revision }).then(
    () => false,
    (error: unknown) => read.count === 1n && (error as RpcError).status === grpcStatus.outOfRange,
  );
}

/** Of a store without keys the hash changes while a compaction is still being carried out. */
async function hashOfEmptiedStore(member: EtcdMember): Promise<boolean> {
  const peer = await openRaw(member.address);
  for (let i = 0; i < 5; i++) {
    const writers = Array.from({ length: 60 }, async () => {
      for (let j = 0; j < 50; j++) await put(peer, "a");
    });
    await Promise.all(writers);
    await ask(peer, calls.compact, { revision: await remove(peer, "a") });
    const hashes = new Set<bigint>();
    for (let j = 0; j < 100; j++) hashes.add((await ask(peer, calls.hash, {})).hash);
    if (hashes.size > 1) return true;
  }
  return false;
}
