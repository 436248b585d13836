import { expect, test } from "vitest";

import { virtualClock } from "../../simulation/virtual-clock.ts";
import { type WatchCreateRequest, watchRequest, watchResponse } from "../etcd/messages.ts";
import { decode, type Encodable, encode } from "../etcd/protobuf.ts";
import { history, neverCompacted } from "./history.ts";
import { keyText } from "./key-range.ts";
import { keyStore, type Revised } from "./key-store.ts";
import { coordinatorNodeLimits } from "./limits.ts";
import { watchHub } from "./watch-hub.ts";
import { watchService } from "./watch-service.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

function setUp(changed: Partial<typeof coordinatorNodeLimits> = {}) {
  const limits = { ...coordinatorNodeLimits, ...changed };
  const clock = virtualClock();
  const store = keyStore({ revision: 1n, entries: [] }, limits);
  const past = history({ compacted: neverCompacted, revised: [] }, limits);
  const revision = () => store.revision;
  const hub = watchHub({ history: past, revision });
  const header = (at: bigint) => ({ clusterId: 7n, memberId: 1n, revision: at, raftTerm: 1n });
  const said: string[] = [];
  const call = {
    congested: false,
    send(...parts: readonly Uint8Array[]) {
      const answer = decode(watchResponse, Buffer.concat(parts));
      const words = [`${answer.watchId}@${answer.header?.revision}`];
      if (answer.created) words.push("created");
      if (answer.canceled) words.push(`canceled ${answer.cancelReason}`.trim());
      if (answer.compactRevision !== 0n) words.push(`compacted ${answer.compactRevision}`);
      if (answer.fragment) words.push("fragment");
      words.push(...answer.events.map(({ kv }) => keyText(kv?.key ?? bytes(""))));
      said.push(words.join(" "));
    },
    fail: (error: unknown) => void said.push(`failed ${error}`),
  };
  const service = watchService({ hub, header, limits, clock, revision });
  const receiver = service(call);
  const send = (request: Encodable<typeof watchRequest>): void =>
    void receiver.message(encode(watchRequest, request));
  return {
    ...{ said, call, receiver, clock, past, hub, send },
    create: (create: Partial<WatchCreateRequest>) =>
      send({ create: { key: bytes("a"), ...create } }),
    commit(...keys: string[]) {
      const write = store.begin();
      for (const key of keys) write.apply({ put: bytes(key), value: bytes(""), lease: 0n });
      const revised = write.end() as Revised;
      past.add(revised);
      hub.publish([revised]);
    },
    /** What was said since it was asked last. */
    since: () => said.splice(0),
  };
}

test("ids are given out or taken, and each watch is told under its own", () => {
  const { create, commit, since, send } = setUp();
  create({ watchId: 1n });
  create({});
  create({});
  expect(since()).toEqual(["1@1 created", "0@1 created", "2@1 created"]);
  commit("a");
  expect(since()).toEqual(["1@2 a", "0@2 a", "2@2 a"]);
  send({ cancel: { watchId: 0n } });
  send({ cancel: { watchId: 99n } });
  commit("a");
  expect(since()).toEqual(["0@2 canceled", "1@3 a", "2@3 a"]);
});

test("a watch that cannot be is canceled as etcd cancels it", () => {
  const { create, since, hub } = setUp();
  create({ watchId: 5n });
  create({ watchId: 5n });
  create({ key: bytes("b"), rangeEnd: bytes("a") });
  create({ startRevision: -1n });
  expect(since()).toEqual([
    "5@1 created",
    "-1@1 created canceled mvcc: duplicate watch ID provided on the WatchStream",
    "-1@1 created canceled mvcc: watcher range is empty",
    "-1@1 created canceled etcdserver: mvcc: required revision has been compacted",
  ]);
  expect(hub.size).toBe(1);
});

test("no key with an end is everything up to there", () => {
  const { create, commit, since } = setUp();
  create({ key: bytes(""), rangeEnd: bytes("\0") });
  commit("anything");
  expect(since()).toEqual(["0@1 created", "0@2 anything"]);
});

test("a start before the compaction ends with the revision to go on from", () => {
  const { create, commit, since, past, hub } = setUp();
  for (let i = 0; i < 5; i++) commit("a");
  past.compact(4n);
  create({ startRevision: 3n });
  expect(since()).toEqual(["0@6 created", "0@0 canceled compacted 4"]);
  expect(hub.size).toBe(0);
  create({ startRevision: 4n });
  expect(since()).toEqual(["1@6 created", "1@6 a a a"]);
});

test("a large revision comes in fragments to who asked for them, whole to others", () => {
  const { create, commit, since } = setUp({ requestBytesMax: 45 });
  create({ rangeEnd: bytes("b") });
  create({ rangeEnd: bytes("b"), fragment: true });
  since();
  commit("a1", "a2", "a3", "a4", "a5");
  expect(since()).toEqual(["0@2 a1 a2 a3 a4 a5", "1@2 fragment a1 a2 a3", "1@2 a4 a5"]);
});

test("progress is told when it is asked for, and now and then to who wants it", async () => {
  const { create, commit, since, send, clock, call, receiver } = setUp({ progressEveryMs: 1_000 });
  create({ key: bytes("quiet"), progressNotify: true });
  create({ key: bytes("a") });
  commit("a");
  since();
  await clock.advance(1_000);
  expect(since()).toEqual(["0@2"]);
  send({ progress: {} });
  expect(since()).toEqual(["-1@2"]);
  // Not while something is held back: the mark would be ahead of the events.
  call.congested = true;
  commit("a");
  send({ progress: {} });
  expect(since()).toEqual([]);
  call.congested = false;
  receiver.drained?.();
  send({ progress: {} });
  expect(since()).toEqual(["1@3 a", "-1@3"]);
});

test("watches end with their stream, and over their number they are refused", () => {
  const { create, hub, receiver } = setUp({ watchersMax: 2 });
  create({});
  create({});
  expect(() => create({})).toThrow("too many requests");
  receiver.closed?.();
  expect(hub.size).toBe(0);
});
