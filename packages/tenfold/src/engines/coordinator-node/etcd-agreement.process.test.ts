import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { systemRuntime } from "../../runtime/runtime.ts";
import {
  type CoordinatorServer,
  findEngine,
  startEtcd,
  startNode,
} from "../../testing/server-process.fixture.ts";
import { type Connection, openConnection } from "../etcd/connection.ts";
import {
  compactionRequest,
  compactionResponse,
  hashKvRequest,
  hashKvResponse,
} from "../etcd/maintenance-messages.ts";
import {
  deleteRangeRequest,
  deleteRangeResponse,
  leaseGrantRequest,
  leaseGrantResponse,
  leaseRevokeRequest,
  leaseRevokeResponse,
  methods,
  putRequest,
  putResponse,
  rangeRequest,
  rangeResponse,
  txnRequest,
  txnResponse,
  watchRequest,
  watchResponse,
} from "../etcd/messages.ts";
import { type Decoded, decode, type Encodable, encode, type Fields } from "../etcd/protobuf.ts";
import { RpcError } from "../etcd/rpc-error.ts";
import { unaryCall } from "../etcd/unary-call.ts";

const etcd = findEngine("etcd") ?? "";
const isMissing = etcd === "";
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";
const requests = 500;

const bytes = (text: string): Uint8Array => Buffer.from(text);
const key = fc.constantFrom("a", "aa", "ab", "b", "c", "").map(bytes);
const rangeEnd = fc
  .oneof(
    { weight: 2, arbitrary: fc.constant("") },
    { weight: 1, arbitrary: fc.constantFrom("a", "b", "c", "\0") },
  )
  .map(bytes);
const flag = fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.boolean());
/** 0, or a number about where the store is. */
const near = (range: number) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(0n) }, fc.bigInt(-2n, BigInt(range)));
const leaseId = fc.constantFrom(0n, 0n, 0n, 11n, 12n, 99n);
const value = fc.constantFrom("", "1", "2", "3").map(bytes);

const range = fc.record({
  ...{ key, rangeEnd, limit: fc.constantFrom(0n, 0n, 1n, 2n), revision: near(150) },
  // etcd 3.4 does not refuse unknown ones; later versions and the node do.
  ...{ sortOrder: fc.integer({ min: 0, max: 2 }), sortTarget: fc.integer({ min: 0, max: 4 }) },
  ...{ serializable: flag, keysOnly: flag, countOnly: flag, minModRevision: near(150) },
  ...{ maxModRevision: near(150), minCreateRevision: near(150), maxCreateRevision: near(150) },
});
const put = fc.record({
  ...{ key, value, lease: leaseId, prevKv: flag, ignoreValue: flag, ignoreLease: flag },
});
const deleteRange = fc.record({ key, rangeEnd, prevKv: flag });
/** etcd lets what it deletes to the last key be put as well, and panics when that keeps a value. */
const deletionInside = deleteRange.filter(
  (one) => !(one.rangeEnd.length === 1 && one.rangeEnd[0] === 0),
);
const compare = fc.record({
  ...{ result: fc.integer({ min: 0, max: 3 }), target: fc.integer({ min: 0, max: 4 }), key },
  rangeEnd,
});
const txn = (depth: number): fc.Arbitrary<Encodable<typeof txnRequest>> => {
  const inside = depth === 0 ? [] : [txn(depth - 1).map((one) => encode(txnRequest, one))];
  const operation = fc.oneof(
    ...[range.map((one) => ({ range: one })), put.map((one) => ({ put: one }))],
    { weight: 2, arbitrary: put.map((one) => ({ put: { ...one, lease: 0n } })) },
    deletionInside.map((one) => ({ deleteRange: one })),
    ...inside.map((one) => one.map((encoded) => ({ txn: [encoded] }))),
    { weight: 1, arbitrary: fc.constant({}) },
  );
  const operations = fc.array(operation, { maxLength: 3 });
  return fc.record({
    compare: fc.array(fc.tuple(compare, near(20), value).map(comparing), { maxLength: 2 }),
    ...{ success: operations, failure: operations },
  });
};

/** Only the field that the target looks at: they exclude each other. */
function comparing([one, number, text]: [
  { target: number; key: Uint8Array; rangeEnd: Uint8Array; result: number },
  bigint,
  Uint8Array,
]) {
  const fields = ["version", "createRevision", "modRevision", "value", "lease"] as const;
  const name = fields[one.target] ?? "version";
  return { ...one, [name]: name === "value" ? text : number };
}

interface Request {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly read: (answer: Uint8Array) => unknown;
}

const request = <Asked extends Fields, Answer extends Fields>(
  path: string,
  asked: Asked,
  answer: Answer,
  read: (decoded: Decoded<Answer>) => unknown = (decoded) => decoded,
) => {
  return (one: Encodable<Asked>): Request => ({
    path,
    bytes: encode(asked, one),
    read: (answered) => read(decode(answer, answered)),
  });
};

/** With the transactions inside it as messages. */
function readTxn(answer: Decoded<typeof txnResponse>): unknown {
  const responses = answer.responses.map(({ txn: nested, ...others }) => ({
    ...others,
    txn: nested.map((one) => readTxn(decode(txnResponse, one))),
  }));
  return { ...answer, responses };
}

const anyRequest = fc.oneof(
  range.map(request(methods.range, rangeRequest, rangeResponse)),
  { weight: 4, arbitrary: put.map(request(methods.put, putRequest, putResponse)) },
  deleteRange.map(request(methods.deleteRange, deleteRangeRequest, deleteRangeResponse)),
  { weight: 8, arbitrary: txn(2).map(request(methods.txn, txnRequest, txnResponse, readTxn)) },
  fc
    .record({ id: fc.constantFrom(11n, 12n), ttl: fc.constantFrom(60n, 9_000_000_001n) })
    .map(request(methods.leaseGrant, leaseGrantRequest, leaseGrantResponse)),
  fc
    .record({ id: fc.constantFrom(11n, 12n, 99n) })
    .map(request(methods.leaseRevoke, leaseRevokeRequest, leaseRevokeResponse)),
  fc
    .record({ revision: fc.bigInt(1n, 200n) })
    .map(request(methods.compact, compactionRequest, compactionResponse)),
);

/** What a server says, but for what names it. */
async function say(peer: Connection, one: Request): Promise<unknown> {
  try {
    return common(one.read(await unaryCall(peer, one.path, {}, one.bytes)));
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { status: error.status, message: error.message };
  }
}

function common(answer: unknown): unknown {
  const hidden = new Set(["clusterId", "memberId", "raftTerm"]);
  return JSON.parse(
    JSON.stringify(answer, (name, each) => {
      if (hidden.has(name)) return undefined;
      return typeof each === "bigint" ? String(each) : each;
    }),
  );
}

/** Everything that a watch of all keys is told from a revision on, up to the last one. */
function told(peer: Connection, from: bigint, last: bigint): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const events: unknown[] = [];
    const call = peer.call(
      methods.watch,
      {},
      {
        message(message) {
          const answer = decode(watchResponse, message);
          events.push(...answer.events);
          const isLast = answer.events.at(-1)?.kv?.modRevision === last;
          if (!isLast && !answer.canceled) return;
          call.cancel();
          resolve(common(answer.canceled ? answer : events));
        },
        end: reject,
      },
    );
    const create = { key: bytes("\0"), rangeEnd: bytes("\0"), startRevision: from, prevKv: true };
    call.send(encode(watchRequest, { create }));
  });
}

describe.skipIf(isMissing && !isRequired)(
  isMissing ? "etcd (skipped: neither on PATH nor in .engines)" : "the node and etcd",
  () => {
    const servers: CoordinatorServer[] = [];
    const peers: Connection[] = [];

    beforeAll(async () => {
      if (isMissing) {
        throw new Error("TENFOLD_REQUIRE_ENGINES is set, but etcd is not to be found.");
      }
      servers.push(...(await Promise.all([startNode(), startEtcd(etcd)])));
      for (const { address } of servers) {
        const endpoint = { ...address, secure: false, origin: `http://127.0.0.1:${address.port}` };
        const never = new AbortController().signal;
        peers.push(await openConnection(endpoint, {}, systemRuntime, never));
      }
    });
    afterAll(async () => {
      for (const peer of peers) peer.close();
      await Promise.all(servers.map((server) => server.close()));
    });

    test("answer the same to any requests, in the same words", async () => {
      const seed = Math.floor(Math.random() * 2 ** 31);
      const [node, real] = peers as [Connection, Connection];
      let refused = 0;
      for (const [at, one] of fc.sample(anyRequest, { numRuns: requests, seed }).entries()) {
        const [mine, theirs] = await Promise.all([say(node, one), say(real, one)]);
        const shown = `${one.path} ${Buffer.from(one.bytes).toString("hex")}`;
        expect(mine, `request ${at} of seed ${seed}: ${shown}`).toEqual(theirs);
        if (Object.hasOwn(theirs as object, "status")) refused++;
      }
      // Both kinds of answers were compared.
      expect(refused).toBeGreaterThan(20);
      expect(requests - refused).toBeGreaterThan(20);

      // When nothing is left etcd also hashes what a compaction has not yet removed.
      const final = request(methods.put, putRequest, putResponse)({ key: bytes("a") });
      await Promise.all(peers.map((peer) => say(peer, final)));
      const hash = request(methods.hashKv, hashKvRequest, hashKvResponse)({});
      const [mine, theirs] = await Promise.all([say(node, hash), say(real, hash)]);
      expect(mine, `hash after seed ${seed}`).toEqual(theirs);
      const { header, compactRevision } = theirs as {
        header: { revision: string };
        compactRevision: string;
      };
      const [last, compacted] = [BigInt(header.revision), BigInt(compactRevision)];
      for (const from of [1n, compacted + 1n]) {
        const both = await Promise.all(peers.map((peer) => told(peer, from, last)));
        expect(both[0], `watch from ${from} after seed ${seed}`).toEqual(both[1]);
      }
    });
  },
);
