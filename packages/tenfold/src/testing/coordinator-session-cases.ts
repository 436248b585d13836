import assert from "node:assert/strict";

import { isTenfoldError } from "../runtime/errors.ts";
import { answers, type CoordinatorCases, isValid, put } from "./coordinator-steps.ts";

/** Sessions, their entries, and calls whose answer is lost. */
export const sessionCases: CoordinatorCases = {
  "the entries of a session vanish when it is closed, others stay": {
    property: 20,
    async run({ prefix, connect }) {
      const client = await connect();
      const session = await client.openSession({ ttlMs: 10_000 });
      session.assertValid();
      assert.equal(session.state, "active");
      await put(client, `${prefix}mine`, "1", session);
      await put(client, `${prefix}free`, "1");
      assert.equal((await client.get(`${prefix}mine`))?.sessionId, session.id);
      assert.equal((await client.get(`${prefix}free`))?.sessionId, undefined);
      await session.close();
      await session.close();
      assert.equal(session.state, "closed");
      assert.ok(session.signal.aborted);
      assert.equal(isValid(session), false);
      const { entries } = await client.list(prefix);
      assert.deepEqual(
        entries.map((entry) => entry.key),
        [`${prefix}free`],
      );
      const change = [{ put: `${prefix}late`, value: "1", session }];
      const late = await client.transact({ change }).catch((error: unknown) => error);
      assert.ok(isTenfoldError(late, "TENFOLD_COORDINATION_SESSION_LOST"), String(late));
    },
  },
  "closing the client ends its sessions at the server at once": {
    property: 20,
    async run({ prefix, connect }) {
      const [client, other] = [await connect(), await connect()];
      const sessions = await Promise.all(
        // Longer than anybody waits here: what is gone was revoked.
        Array.from({ length: 5 }, () => client.openSession({ ttlMs: 60_000 })),
      );
      for (const [i, session] of sessions.entries()) {
        await put(client, `${prefix}${i}`, "1", session);
      }
      await client.close();
      for (const session of sessions) assert.equal(session.state, "closed");
      assert.deepEqual((await other.list(prefix)).entries, []);
    },
  },
  "a session is renewed for longer than its time to live": {
    async run({ prefix, connect, ttlMs, eventually }) {
      const client = await connect();
      const session = await client.openSession({ ttlMs });
      await put(client, `${prefix}a`, "1", session);
      const first = session.validUntil;
      await eventually("it outlives its first time", () => session.validUntil > first + ttlMs);
      assert.equal(session.state, "active");
      assert.ok(await client.get(`${prefix}a`));
    },
  },
  "a session suspended and recovered in time is the same, with its entries": {
    property: 9,
    needs: ["addresses"],
    async run({ prefix, connect, connectThroughProxy, proxy, eventually }) {
      const [other, holder] = [await connect(), await connectThroughProxy()];
      const session = await holder.openSession({ ttlMs: 8_000 });
      await put(holder, `${prefix}a`, "1", session);
      const made = (await other.get(`${prefix}a`))?.createRevision;
      proxy.state = "silent";
      await eventually("it is suspended", () => session.state === "suspended");
      session.assertValid();
      proxy.state = "pass";
      await eventually("it recovers", () => session.state === "active");
      assert.equal(session.signal.aborted, false);
      const after = await other.get(`${prefix}a`);
      assert.deepEqual([after?.createRevision, after?.sessionId], [made, session.id]);
    },
  },
  "a crash of the server loses no data and ends no session": {
    property: 9,
    needs: ["restart"],
    isAlone: true,
    async run({ prefix, connect, restart, eventually }) {
      const client = await connect();
      const session = await client.openSession({ ttlMs: 15_000 });
      await put(client, `${prefix}mine`, "1", session);
      const before = await put(client, `${prefix}free`, "1");
      await restart();
      let entries = 0;
      await eventually("the server answers again", async () => {
        const listing = await client.list(prefix).catch(() => undefined);
        entries = listing?.entries.length ?? 0;
        if (listing) assert.ok(listing.revision >= before, "the revision does not go back");
        return listing !== undefined;
      });
      assert.equal(entries, 2);
      const first = session.validUntil;
      await eventually("the session is renewed again", () => session.validUntil > first);
      assert.ok(isValid(session));
      assert.ok(await client.get(`${prefix}mine`));
      assert.ok((await put(client, `${prefix}next`, "1")) > before);
    },
  },
  "a transaction whose answer is lost is indeterminate, and was applied once or not at all": {
    property: 5,
    needs: ["addresses"],
    async run({ prefix, connect, connectThroughProxy, proxy }) {
      const [other, client] = [await connect(), await connectThroughProxy()];
      for (let cut = 0; cut < 60; cut++) {
        const key = `${prefix}${cut}`;
        await client.get(key);
        // A lost answer, then a request that came in half.
        if (cut < 40) proxy.cutAfterBytes(cut);
        else proxy.cutAfterBytes((cut - 40) * 8, "toTarget");
        const when = [{ key, is: "absent" as const }];
        const outcome = await client
          .transact({ when, change: [{ put: key, value: "1" }] })
          .then((result) => result.outcome)
          .catch((error: unknown) => (isTenfoldError(error) ? error.code : error));
        const isThere = (await other.get(key)) !== undefined;
        if (outcome === "applied") assert.ok(isThere);
        else if (outcome !== "indeterminate") {
          assert.equal(outcome, "TENFOLD_COORDINATION_UNAVAILABLE");
          assert.equal(isThere, false, "what is called not applied was not applied");
        }
        proxy.cutAfterBytes(Number.POSITIVE_INFINITY, "toTarget");
      }
      proxy.cutAfterBytes(Number.POSITIVE_INFINITY);
    },
  },
  "calls into a black hole end in time": {
    needs: ["addresses"],
    async run({ prefix, connectThroughProxy, proxy, eventually }) {
      const client = await connectThroughProxy();
      await client.get(prefix);
      proxy.state = "silent";
      // First the write, while there is a connection on which it is sent.
      const change = [{ put: `${prefix}a`, value: "1" }];
      const { outcome } = await client.transact({ change }, { timeoutMs: 300 });
      assert.equal(outcome, "indeterminate");
      const failure = await client.get(prefix, { timeoutMs: 300 }).catch((error: unknown) => error);
      assert.ok(isTenfoldError(failure, "TENFOLD_COORDINATION_UNAVAILABLE"), String(failure));
      assert.ok(failure.retryable);
      proxy.state = "pass";
      await eventually("the client recovers", () => answers(client.get(prefix)));
    },
  },
};
