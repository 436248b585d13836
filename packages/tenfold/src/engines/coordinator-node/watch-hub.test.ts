import { expect, test } from "vitest";
import { decodeEvents } from "./change-wire.ts";
import { history, neverCompacted } from "./history.ts";
import { keyText } from "./key-range.ts";
import { keyStore, type Revised } from "./key-store.ts";
import { coordinatorNodeLimits } from "./limits.ts";
import { type WatchEvents, type WatchOptions, watchHub } from "./watch-hub.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

function setUp(historyRevisionsMax = 100) {
  const limits = { ...coordinatorNodeLimits, historyRevisionsMax };
  const store = keyStore({ revision: 1n, entries: [] }, limits);
  const past = history({ compacted: neverCompacted, revised: [] }, limits);
  const hub = watchHub({ history: past, revision: () => store.revision });
  return {
    hub,
    /** Commits the keys, each at its own revision, together. */
    commit(...keys: string[]) {
      const revised = keys.map((key) => {
        const write = store.begin();
        if (key.startsWith("-")) write.apply({ delete: key.slice(1) });
        else write.apply({ put: bytes(key), value: bytes(""), lease: 0n });
        return write.end() as Revised;
      });
      for (const one of revised) past.add(one);
      past.trim();
      hub.publish(revised);
    },
    open(options: Partial<WatchOptions> = {}) {
      const seen: string[] = [];
      const sink = {
        ready: true,
        events({ wires }: WatchEvents) {
          for (const { type, kv, prevKv } of wires.flatMap(decodeEvents)) {
            const was = prevKv === undefined ? "" : ` was ${prevKv.modRevision}`;
            seen.push((type === 1 ? "-" : "") + keyText(kv?.key ?? bytes("")) + was);
          }
        },
        compacted: (oldest: bigint) => void seen.push(`compacted ${oldest}`),
      };
      const range = { start: "a", end: "c" };
      const all = { range, startRevision: 0n, filters: [], prevKv: false, ...options };
      const watcher = hub.open(all, sink);
      watcher.resume();
      return { seen, sink, watcher };
    },
  };
}

test("several revisions of one commit all arrive, in order, in range", () => {
  const { open, commit } = setUp();
  const { seen } = open();
  commit("a", "b", "c", "-a");
  expect(seen).toEqual(["a", "b", "-a"]);
});

test("from the past, from the very first, and from the future", () => {
  const { open, commit } = setUp();
  commit("a", "b");
  expect(open({ startRevision: 1n }).seen).toEqual(["a", "b"]);
  expect(open({ startRevision: 3n }).seen).toEqual(["b"]);
  const later = open({ startRevision: 6n });
  commit("a1", "a2", "a3");
  expect(later.seen).toEqual(["a3"]);
});

test("filters leave out puts or deletions", () => {
  const { open, commit } = setUp();
  const [noPut, noDelete] = [open({ filters: [0] }), open({ filters: [1] })];
  commit("a", "-a");
  expect([noPut.seen, noDelete.seen]).toEqual([["-a"], ["a"]]);
});

test("a slow reader is served from the history when it reads again", () => {
  const { open, commit } = setUp();
  const { seen, sink, watcher } = open();
  sink.ready = false;
  commit("a");
  commit("b");
  expect(seen).toEqual([]);
  expect(watcher.inStep).toBe(false);
  sink.ready = true;
  watcher.resume();
  expect(seen).toEqual(["a", "b"]);
});

test("a reader that fell behind the history is told so, and closed", () => {
  const { open, commit, hub } = setUp(2);
  const { seen, sink, watcher } = open();
  sink.ready = false;
  commit("a", "b", "a1", "a2");
  sink.ready = true;
  watcher.resume();
  expect(seen).toEqual(["compacted 4"]);
  expect(hub.size).toBe(0);
  expect(open({ startRevision: 3n }).seen).toEqual(["compacted 4"]);
  expect(open({ startRevision: 4n }).seen).toEqual(["a1", "a2"]);
});
