import { expect, test } from "vitest";

import { type RequestOp, requestOp, txnRequest } from "../etcd/messages.ts";
import { decode, type Encodable, encode } from "../etcd/protobuf.ts";
import { readTxn } from "./transaction-form.ts";

type Op = Encodable<typeof requestOp>;
type Branches = { success?: readonly Op[]; failure?: readonly Op[] };

const bytes = (text: string): Uint8Array => Buffer.from(text);
const put = (key: string): Op => ({ put: { key: bytes(key) } });
const remove = (key: string, end = ""): Op => ({
  deleteRange: { key: bytes(key), rangeEnd: bytes(end) },
});
const txn = (branches: Branches): Op => ({ txn: [encode(txnRequest, branches)] });
const read = (branches: Branches, operationsMax = 128) =>
  readTxn(decode(txnRequest, encode(txnRequest, branches)), operationsMax);

test("no key is put twice, or put and deleted, where both may apply", () => {
  const refused: Branches[] = [
    { success: [put("a"), put("a")] },
    { failure: [put("a"), remove("a")] },
    { success: [remove("a", "c"), put("b")] },
    { success: [put("a"), txn({ failure: [put("a")] })] },
    { success: [txn({ success: [put("a")] }), txn({ failure: [put("a")] })] },
    { success: [txn({ success: [remove("a", "z")] }), put("b")] },
    { success: [txn({ success: [txn({ success: [put("a"), put("a")] })] })] },
  ];
  for (const [at, one] of refused.entries()) {
    expect(() => read(one), `case ${at}`).toThrow("etcdserver: duplicate key given in txn request");
  }
});

test("branches that exclude each other may name the same key", () => {
  read({ success: [put("a")], failure: [put("a"), put("b")] });
  read({ success: [txn({ success: [put("a")], failure: [put("a")] }), put("b")] });
  read({ success: [remove("a", "b"), put("b"), remove("a")] });
  // As etcd: it takes this range for one without keys.
  read({ success: [remove("a", "\0"), put("b")] });
});

test("a transaction inside has the operations that its parent leaves", () => {
  const deep = (depth: number): Op =>
    depth === 0 ? put("a") : txn({ success: [deep(depth - 1)] });
  read({ success: [deep(3)] }, 4);
  expect(() => read({ success: [deep(4)] }, 4)).toThrow("too many operations in txn request");
  expect(() => read({ success: [put("a"), put("b")] }, 1)).toThrow("too many operations");
});

test("an operation that says nothing is refused as etcd refuses it", () => {
  const nothing: readonly RequestOp[] = [decode(requestOp, new Uint8Array(0))];
  expect(() => readTxn({ compare: [], success: nothing, failure: [] }, 9)).toThrow("key not found");
});
