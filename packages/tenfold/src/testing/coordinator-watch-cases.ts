import assert from "node:assert/strict";

import { seededRandom } from "../runtime/random.ts";
import {
  type CoordinatorCases,
  keysOf,
  pause,
  put,
  rememberedWrites,
  remove,
} from "./coordinator-steps.ts";

/** Watches whose server is there. */
export const watchCases: CoordinatorCases = {
  "a watch tells what was written: ordered, once, whole, all of it, as it was": {
    property: 10,
    async run({ prefix, connect, follow, agree }) {
      const [writer, reader, before] = [await connect(), await connect(), await connect()];
      const writes = rememberedWrites(writer);
      await writes.put(`${prefix}m/before`, "1");
      const followed = await follow(reader, `${prefix}m/`);
      const random = seededRandom("churn");
      // Names that an end of the range which is off by one would take for the prefix.
      const names = ["m/", "m/a", "m/é", "m/日本", "m/~", "m/a/b", "m", "m0", "m.", "l/z", "M/a"];
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let i = 0; i < 25; i++) {
            const chosen = names.filter(() => random.below(4) === 0);
            const changes = chosen.map((name) => {
              const value = random.below(3) === 0 ? undefined : `${i}`;
              return { key: prefix + name, value };
            });
            if (changes.length > 0) await writes.write(changes);
            if (i % 8 === 0) await pause(1);
          }
        }),
      );
      await agree(followed, before);
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
  "a watch and a listing agree after any churn": {
    property: 10,
    async run({ prefix, connect, follow, agree }) {
      const [writer, reader] = [await connect(), await connect()];
      await put(writer, `${prefix}before`, "1");
      const followed = await follow(reader, prefix);
      const random = seededRandom("churn");
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let i = 0; i < 25; i++) {
            const key = `${prefix}${random.below(12)}`;
            if (random.below(3) === 0) await remove(writer, key);
            else await put(writer, key, String(i));
          }
        }),
      );
      await agree(followed, writer);
      await followed.stop();
    },
  },
  "the changes of one revision come in one batch": {
    property: 10,
    async run({ prefix, connect, follow, agree }) {
      const client = await connect();
      const writes = rememberedWrites(client);
      const followed = await follow(client, prefix);
      const keys = Array.from({ length: 40 }, (_, i) => `${prefix}${i}`);
      for (let round = 0; round < 5; round++) {
        await writes.write(keys.map((key) => ({ key, value: `${round}` })));
      }
      await agree(followed, client);
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
  "a reader that was away gets the last state of every key, and of deleted ones the end": {
    property: 14,
    async run({ prefix, connect }) {
      const client = await connect();
      await put(client, `${prefix}gone`, "1");
      const seen = new Map<string, string>();
      let isFirst = true;
      const stop = new AbortController();
      for await (const batch of client.watch(prefix, { signal: stop.signal })) {
        for (const change of batch.changes) {
          if (change.kind === "put") seen.set(change.entry.key, change.entry.value);
          else seen.delete(change.key);
        }
        if (isFirst) {
          for (let i = 0; i < 200; i++) await put(client, `${prefix}${i % 10}`, String(i));
          await remove(client, `${prefix}gone`);
          await put(client, `${prefix}last`, "1");
        }
        isFirst = false;
        if (seen.has(`${prefix}last`)) break;
      }
      assert.equal(seen.has(`${prefix}gone`), false);
      assert.equal(seen.get(`${prefix}9`), "199");
      assert.equal(seen.size, 11);
    },
  },
  "a reader too slow for what is written is told the last state, and nothing out of order": {
    property: 14,
    needs: ["addresses"],
    async run({ prefix, connect, connectThroughProxy, proxy, follow, agree }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      const writes = rememberedWrites(writer);
      const followed = await follow(reader, prefix);
      // Several times what sockets and servers keep for one reader: about 24 MB over 4 MB/s.
      proxy.set({ bytesPerSecondMax: 4_000_000 });
      const value = "x".repeat(60_000);
      for (let round = 0; round < 50; round++) {
        const keys = Array.from({ length: 8 }, (_, i) => `${prefix}${(round + i) % 20}`);
        await writes.write(keys.map((key) => ({ key, value: `${round} ${value}` })));
      }
      await writes.remove(`${prefix}3`);
      proxy.set({ bytesPerSecondMax: Number.POSITIVE_INFINITY });
      await agree(followed, writer);
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
  "a watch ends with its signal, also while it waits": {
    async run({ prefix, connect, follow }) {
      const client = await connect();
      const followed = await follow(client, prefix);
      await followed.stop();
      const stop = AbortSignal.abort();
      for await (const _ of client.watch(prefix, { signal: stop })) assert.fail("it was over");
    },
  },
};

/** Watches over gaps: cuts, silence, compaction, restarts. */
export const gapCases: CoordinatorCases = {
  "a key deleted and made again during a cut has its new create revision": {
    property: 13,
    needs: ["addresses"],
    async run({ prefix, connect, connectThroughProxy, proxy, follow, agree }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      const writes = rememberedWrites(writer);
      await writes.put(`${prefix}a`, "1");
      const followed = await follow(reader, prefix);
      proxy.state = "cut";
      await writes.remove(`${prefix}a`);
      const again = await writes.put(`${prefix}a`, "1");
      proxy.state = "pass";
      await agree(followed, writer);
      assert.equal(followed.entries.get(`${prefix}a`)?.createRevision, again);
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
  "no last state is lost over cuts at any byte": {
    property: 11,
    needs: ["addresses"],
    async run({ prefix, connect, connectThroughProxy, proxy, follow, agree }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      const writes = rememberedWrites(writer);
      const followed = await follow(reader, prefix);
      for (let cut = 0; cut < 60; cut++) {
        // From the first byte of an HTTP/2 frame to the middle of later messages.
        proxy.cutAfterBytes(cut < 30 ? cut : cut * 17);
        if (cut % 4 === 3) proxy.cutAfterBytes(cut, "toTarget");
        const keys = Array.from({ length: 6 }, (_, i) => `${prefix}${(cut + i) % 20}`);
        await Promise.all(
          keys.map((key, i) => (i === 5 ? writes.remove(key) : writes.put(key, `${cut}`))),
        );
        if (cut % 10 === 9) await agree(followed, writer);
      }
      proxy.cutAfterBytes(Number.POSITIVE_INFINITY);
      await agree(followed, writer);
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
  "a quiet watch notices a black hole and goes on when it is over": {
    property: 11,
    needs: ["addresses"],
    async run({ prefix, connect, connectThroughProxy, proxy, follow, agree, eventually }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      const writes = rememberedWrites(writer);
      const followed = await follow(reader, prefix);
      proxy.state = "silent";
      await writes.put(`${prefix}a`, "1");
      const [bytes, connections] = [proxy.bytesToClients, proxy.connections];
      // The client gives the connection up and tries others, all as silent.
      await eventually("the client connects anew", () => proxy.connections > connections);
      assert.equal(proxy.bytesToClients, bytes);
      proxy.state = "pass";
      await agree(followed, writer);
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
  "a reader so slow that its history is gone gets a snapshot with the difference": {
    property: 14,
    needs: ["addresses", "compact"],
    isAlone: true,
    async run({ prefix, connect, connectThroughProxy, proxy, compact, follow, agree, eventually }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      const writes = rememberedWrites(writer);
      await writes.put(`${prefix}goes`, "1");
      const followed = await follow(reader, prefix);
      // 4 MB, which would take it minutes.
      proxy.set({ bytesPerSecondMax: 20_000 });
      const value = "x".repeat(20_000);
      for (let round = 0; round < 10; round++) {
        const keys = Array.from({ length: 20 }, (_, i) => `${prefix}${i}`);
        await writes.write(keys.map((key) => ({ key, value: `${round} ${value}` })));
      }
      await writes.remove(`${prefix}goes`);
      await compact();
      assert.ok(followed.entries.has(`${prefix}goes`), "it is behind when its history goes");
      // What a server has for it in its memory is lost with the connection.
      proxy.set({ bytesPerSecondMax: Number.POSITIVE_INFINITY });
      proxy.reset();
      await agree(followed, writer);
      await eventually("it was told a snapshot", () =>
        followed.batches.slice(1).some(({ kind }) => kind === "snapshot"),
      );
      await writes.put(`${prefix}later`, "1");
      await agree(followed, writer);
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
  "after a compaction during a cut there is a snapshot with the difference": {
    property: 12,
    needs: ["addresses", "compact"],
    isAlone: true,
    async run({ prefix, connect, connectThroughProxy, proxy, compact, follow, agree }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      const writes = rememberedWrites(writer);
      await writes.put(`${prefix}stays`, "1");
      await writes.put(`${prefix}goes`, "1");
      const followed = await follow(reader, prefix);
      proxy.state = "cut";
      await writes.remove(`${prefix}goes`);
      await writes.put(`${prefix}comes`, "1");
      await compact();
      proxy.state = "pass";
      await agree(followed, writer);
      const last = followed.batches.at(-1);
      assert.equal(last?.kind, "snapshot");
      assert.deepEqual(keysOf(last), [`${prefix}comes`, `${prefix}goes`]);
      await writes.put(`${prefix}later`, "1");
      await agree(followed, writer);
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
  "a compaction at or before the place to go on from loses and repeats nothing": {
    property: 12,
    needs: ["addresses", "compact"],
    isAlone: true,
    async run({ prefix, connect, connectThroughProxy, proxy, compact, follow, agree }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      const writes = rememberedWrites(writer);
      const followed = await follow(reader, prefix);
      for (const missed of [0, 1, 2]) {
        await writes.put(`${prefix}a`, `${missed}`);
        await agree(followed, writer);
        proxy.state = "cut";
        await compact();
        // None, one or two revisions after the compacted one.
        for (let i = 0; i < missed; i++) await writes.put(`${prefix}${missed}.${i}`, "1");
        proxy.state = "pass";
        await writes.put(`${prefix}b`, `${missed}`);
        await agree(followed, writer);
      }
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
  "a watch goes on over a restart of the server": {
    property: 11,
    needs: ["restart"],
    isAlone: true,
    async run({ prefix, connect, restart, follow, agree, eventually }) {
      const [writer, reader] = [await connect(), await connect()];
      const writes = rememberedWrites(writer);
      await writes.put(`${prefix}a`, "1");
      const followed = await follow(reader, prefix);
      await restart();
      await eventually("the server answers again", () =>
        writer.get(prefix).then(
          () => true,
          () => false,
        ),
      );
      await writes.put(`${prefix}b`, "2");
      await agree(followed, writer);
      assert.deepEqual(followed.faults(writes.written), []);
      await followed.stop();
    },
  },
};
