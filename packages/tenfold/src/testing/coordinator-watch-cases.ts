import assert from "node:assert/strict";

import { seededRandom } from "../runtime/random.ts";
import {
  agree,
  type CoordinatorCase,
  eventually,
  follow,
  put,
  remove,
} from "./coordinator-steps.ts";

/** Watches, with and without faults. */
export const watchCases: Readonly<Record<string, CoordinatorCase>> = {
  "a watch and a listing agree after any churn": {
    async run({ prefix, connect }) {
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
      await agree(followed, writer, prefix);
      await followed.stop();
    },
  },
  "the changes of one revision come in one batch": {
    async run({ prefix, connect }) {
      const client = await connect();
      const followed = await follow(client, prefix);
      const keys = Array.from({ length: 40 }, (_, i) => `${prefix}${i}`);
      for (let round = 0; round < 5; round++) {
        await client.transact({ change: keys.map((key) => ({ put: key, value: `${round}` })) });
      }
      await agree(followed, client, prefix);
      for (const batch of followed.batches) {
        const values = new Set(
          batch.changes.map((change) => (change.kind === "put" ? change.entry.value : undefined)),
        );
        // All forty keys have the value of the same round, or the batch split a revision.
        assert.ok(values.size <= 1, `a batch holds ${values.size} states`);
        assert.ok(batch.changes.length === 0 || batch.changes.length === keys.length);
      }
      await followed.stop();
    },
  },
  "a reader that was away gets the last state of every key, and of deleted ones the end": {
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
  "a watch ends with its signal, also while it waits": {
    async run({ prefix, connect }) {
      const client = await connect();
      const followed = await follow(client, prefix);
      await followed.stop();
      const stop = AbortSignal.abort();
      for await (const _ of client.watch(prefix, { signal: stop })) assert.fail("it was over");
    },
  },
  "a key deleted and made again during a cut has its new create revision": {
    needs: ["proxy"],
    async run({ prefix, connect, connectThroughProxy, proxy }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      await put(writer, `${prefix}a`, "1");
      const followed = await follow(reader, prefix);
      proxy.state = "cut";
      await remove(writer, `${prefix}a`);
      const again = await put(writer, `${prefix}a`, "1");
      proxy.state = "pass";
      await agree(followed, writer, prefix);
      assert.equal(followed.entries.get(`${prefix}a`)?.createRevision, again);
      await followed.stop();
    },
  },
  "no last state is lost over cuts at any byte": {
    needs: ["proxy"],
    async run({ prefix, connect, connectThroughProxy, proxy }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      const followed = await follow(reader, prefix);
      for (let cut = 0; cut < 60; cut++) {
        // From the first byte of an HTTP/2 frame to the middle of later messages.
        proxy.cutAfterBytes(cut < 30 ? cut : cut * 17);
        const keys = Array.from({ length: 6 }, (_, i) => `${prefix}${(cut + i) % 20}`);
        await Promise.all(
          keys.map((key, i) => (i === 5 ? remove(writer, key) : put(writer, key, `${cut}`))),
        );
        if (cut % 10 === 9) await agree(followed, writer, prefix);
      }
      proxy.cutAfterBytes(Number.POSITIVE_INFINITY);
      await agree(followed, writer, prefix);
      await followed.stop();
    },
  },
  "after a compaction during a cut there is a snapshot with the difference": {
    needs: ["proxy", "compact"],
    async run({ prefix, connect, connectThroughProxy, proxy, compact }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      await put(writer, `${prefix}stays`, "1");
      await put(writer, `${prefix}goes`, "1");
      const followed = await follow(reader, prefix);
      proxy.state = "cut";
      await remove(writer, `${prefix}goes`);
      await put(writer, `${prefix}comes`, "1");
      await compact();
      proxy.state = "pass";
      await agree(followed, writer, prefix);
      const last = followed.batches.at(-1);
      assert.equal(last?.kind, "snapshot");
      const changed = last?.changes.map((one) => (one.kind === "put" ? one.entry.key : one.key));
      assert.deepEqual(changed?.sort(), [`${prefix}comes`, `${prefix}goes`]);
      await put(writer, `${prefix}later`, "1");
      await agree(followed, writer, prefix);
      await followed.stop();
    },
  },
  "a quiet watch notices a black hole and goes on when it is over": {
    needs: ["proxy"],
    async run({ prefix, connect, connectThroughProxy, proxy }) {
      const [writer, reader] = [await connect(), await connectThroughProxy()];
      const followed = await follow(reader, prefix);
      proxy.state = "silent";
      await put(writer, `${prefix}a`, "1");
      const before = proxy.bytesToClients;
      // The client gives the connection up and tries others, all as silent.
      await eventually("the client connects anew", () => proxy.connections > 1);
      assert.equal(proxy.bytesToClients, before);
      proxy.state = "pass";
      await agree(followed, writer, prefix);
      await followed.stop();
    },
  },
  "a watch goes on over a restart of the server": {
    needs: ["restart"],
    async run({ prefix, connect, restart }) {
      const [writer, reader] = [await connect(), await connect()];
      await put(writer, `${prefix}a`, "1");
      const followed = await follow(reader, prefix);
      await restart();
      await eventually("the server writes again", () =>
        put(writer, `${prefix}b`, "2").then(
          () => true,
          () => false,
        ),
      );
      await agree(followed, writer, prefix);
      await followed.stop();
    },
  },
};
