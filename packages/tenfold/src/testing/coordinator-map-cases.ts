import assert from "node:assert/strict";

import { isTenfoldError } from "../runtime/errors.ts";
import { applied, type CoordinatorCases, put, remove } from "./coordinator-steps.ts";
import { assertLinearizable } from "./register-history.ts";
import { readAndWrite } from "./register-workload.ts";

/** Entries, listings, transactions. */
export const mapCases: CoordinatorCases = {
  "a transaction applies only when all its conditions hold": {
    async run({ prefix, connect }) {
      const client = await connect();
      const [a, b] = [`${prefix}a`, `${prefix}b`];
      const first = await put(client, a, "1");
      const refused = await client.transact({
        when: [
          { key: a, revision: first },
          { key: b, is: "present" },
        ],
        change: [{ put: a, value: "2" }],
        otherwiseRead: [a, b],
      });
      assert.equal(refused.outcome, "refused");
      const reads = refused.outcome === "refused" ? refused.reads : [];
      assert.deepEqual(
        reads.map(({ key, value, revision }) => ({ key, value, revision })),
        [{ key: a, value: "1", revision: first }],
      );
      applied(
        await client.transact({
          when: [
            { key: a, is: "present" },
            { key: b, is: "absent" },
            { key: a, revision: first },
          ],
          change: [
            { put: a, value: "2" },
            { put: b, value: "2" },
          ],
        }),
      );
      const stale = { when: [{ key: a, revision: first }], change: [{ delete: a }] };
      assert.equal((await client.transact(stale)).outcome, "refused");
      assert.equal((await client.get(a))?.value, "2");
    },
  },
  "changes of one transaction share one revision, which is the result's": {
    async run({ prefix, connect }) {
      const client = await connect();
      // Side by side, so that a server that commits several at once must tell them apart.
      const writes = Array.from({ length: 20 }, async (_, i) => {
        const change = [
          { put: `${prefix}${i}/x`, value: "1" },
          { put: `${prefix}${i}/y`, value: "1" },
        ];
        return { i, revision: applied(await client.transact({ change })) };
      });
      for (const { i, revision } of await Promise.all(writes)) {
        const { entries } = await client.list(`${prefix}${i}/`);
        assert.deepEqual(
          entries.map((entry) => [entry.revision, entry.createRevision]),
          [
            [revision, revision],
            [revision, revision],
          ],
        );
      }
    },
  },
  "of fifty that create the same key one succeeds": {
    property: 3,
    async run({ prefix, connect }) {
      const clients = await Promise.all(Array.from({ length: 5 }, connect));
      const key = `${prefix}one`;
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          clients[i % clients.length]?.transact({
            when: [{ key, is: "absent" }],
            change: [{ put: key, value: String(i) }],
          }),
        ),
      );
      const winners = results.flatMap((result, i) => (result?.outcome === "applied" ? [i] : []));
      assert.equal(winners.length, 1);
      assert.equal((await clients[0]?.get(key))?.value, String(winners[0]));
    },
  },
  "a key deleted and made again is another: what knew the old one may not change it": {
    property: 4,
    async run({ prefix, connect }) {
      const client = await connect();
      const key = `${prefix}a`;
      const made = await put(client, key, "1");
      const written = await put(client, key, "2");
      assert.deepEqual(revisionsOf(await client.get(key)), [made, written]);
      await remove(client, key);
      assert.equal(await client.get(key), undefined);
      const again = await put(client, key, "2");
      assert.deepEqual(revisionsOf(await client.get(key)), [again, again]);
      // As often written as before, with the same value: no count of versions may stand for it.
      const twice = await put(client, key, "2");
      for (const revision of [made, written, again]) {
        const stale = { when: [{ key, revision }], change: [{ delete: key }] };
        assert.equal((await client.transact(stale)).outcome, "refused");
      }
      assert.deepEqual(revisionsOf(await client.get(key)), [again, twice]);
    },
  },
  "a listing holds the keys with the prefix, sorted, whatever their characters": {
    async run({ prefix, connect }) {
      const client = await connect();
      const names = ["m/", "m/a", "m/é", "m/日本", "m/~", "m/a/b"];
      for (const name of [...names, "m", "m0", "l/z"]) await put(client, prefix + name, name);
      const { entries, revision } = await client.list(`${prefix}m/`);
      assert.deepEqual(
        entries.map((entry) => [entry.key, entry.value]),
        names.sort().map((name) => [prefix + name, name]),
      );
      const newest = entries.map((entry) => entry.revision).reduce((a, b) => (a > b ? a : b));
      assert.ok(revision >= newest);
      assert.deepEqual((await client.list(`${prefix}nothing/`)).entries, []);
      await put(client, `${prefix}empty`, "");
      assert.equal((await client.get(`${prefix}empty`))?.value, "");
    },
  },
  "what callers are told of a key fits one order of their calls": {
    property: 15,
    async run({ prefix, connect }) {
      const clients = await Promise.all(Array.from({ length: 4 }, connect));
      const keys = [`${prefix}a`, `${prefix}b`];
      const calls = await readAndWrite({ clients, keys, callsEach: 60, seed: "register" });
      const answered = calls.filter((call) => Number.isFinite(call.answeredAt));
      assert.ok(answered.length > clients.length * 50, "nothing hinders the calls");
      assertLinearizable(calls);
    },
  },
  "what callers are told fits one order while their answers are cut off": {
    property: 15,
    needs: ["addresses"],
    async run({ prefix, connect, connectThroughProxy, proxy }) {
      const clients = [await connect(), await connectThroughProxy(), await connectThroughProxy()];
      let calls = 0;
      const cut = (): void => {
        calls++;
        if (calls % 3 === 0) proxy.cutAfterBytes((calls * 7) % 90);
        if (calls % 5 === 0) proxy.cutAfterBytes((calls * 11) % 70, "toTarget");
      };
      const keys = Array.from({ length: 6 }, (_, i) => `${prefix}${i}`);
      const history = await readAndWrite({
        ...{ clients, keys, callsEach: 50, seed: "cut register", beforeCall: cut },
      });
      assertLinearizable(history);
    },
  },
  "a condition on a session holds for its own entries alone": {
    async run({ prefix, connect }) {
      const client = await connect();
      const session = await client.openSession({ ttlMs: 10_000 });
      const other = await client.openSession({ ttlMs: 10_000 });
      await put(client, `${prefix}mine`, "1", session);
      await put(client, `${prefix}free`, "1");
      const outcome = async (name: string, ownedBy: typeof session): Promise<string> => {
        const when = [{ key: `${prefix}${name}`, ownedBy }];
        const change = [{ put: `${prefix}effect`, value: name }];
        return (await client.transact({ when, change })).outcome;
      };
      assert.equal(await outcome("mine", session), "applied");
      for (const [name, owner] of [
        ["mine", other],
        ["free", session],
        ["nothing", session],
      ] as const) {
        assert.equal(await outcome(name, owner), "refused", name);
      }
      await session.close();
      const late = await outcome("mine", session).catch((error: unknown) => error);
      assert.ok(late === "refused" || isTenfoldError(late, "TENFOLD_COORDINATION_SESSION_LOST"));
    },
  },
  "keys and values that no server could give back unchanged are refused": {
    async run({ prefix, connect }) {
      const client = await connect();
      const { keyBytesMax, valueBytesMax, operationsMax } = client.capabilities;
      const code = (key: string, value = "1") =>
        client.transact({ change: [{ put: key, value }] }).then(
          ({ outcome }) => outcome,
          (error: unknown) => (isTenfoldError(error) ? error.code : error),
        );
      for (const key of ["", `${prefix}a\0b`, `${prefix}\ud800`, "k".repeat(keyBytesMax + 1)]) {
        assert.equal(await code(key), "TENFOLD_COORDINATION_KEY_INVALID");
      }
      const largest = "v".repeat(valueBytesMax);
      for (const value of [`${largest}v`, "\udc00"]) {
        assert.equal(await code(`${prefix}a`, value), "TENFOLD_COORDINATION_VALUE_INVALID");
      }
      assert.equal(await code(`${prefix}a`, largest), "applied");
      const odd = `${prefix} \u{1f600}\n"`;
      assert.equal(await code(odd, "\ufeff\0"), "applied");
      assert.equal((await client.get(odd))?.value, "\ufeff\0");
      const many = (count: number) =>
        client.transact({
          change: Array.from({ length: count }, (_, i) => ({ put: `${prefix}${i}`, value: "" })),
        });
      applied(await many(operationsMax));
      await assert.rejects(many(operationsMax + 1), { code: "TENFOLD_COORDINATION_REFUSED" });
    },
  },
  "a stale read gives what was written, sooner or later": {
    async run({ prefix, connect, eventually }) {
      const [writer, reader] = [await connect(), await connect()];
      if (!reader.capabilities.reads.includes("stale")) return;
      await put(writer, `${prefix}a`, "1");
      await eventually("the stale read catches up", async () => {
        const entry = await reader.get(`${prefix}a`, { reads: "stale" });
        return entry?.value === "1";
      });
      const { entries } = await reader.list(prefix, { reads: "stale" });
      assert.deepEqual(entries, (await reader.list(prefix)).entries);
    },
  },
  "a closed client answers no more, and closing twice is harmless": {
    async run({ prefix, connect }) {
      const client = await connect();
      await put(client, `${prefix}a`, "1");
      await client.close();
      await client.close();
      const failure = await client.get(`${prefix}a`).catch((error: unknown) => error);
      assert.ok(isTenfoldError(failure, "TENFOLD_COORDINATION_CLOSED"), String(failure));
      for await (const _ of client.watch(prefix)) assert.fail("a closed client watches nothing");
    },
  },
};

function revisionsOf(entry: { createRevision: bigint; revision: bigint } | undefined): unknown {
  return [entry?.createRevision, entry?.revision];
}
