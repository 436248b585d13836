import assert from "node:assert/strict";

import type { Session } from "../coordination/coordinator.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import { applied, type CoordinatorCase, eventually, follow, put } from "./coordinator-steps.ts";

/** The shortest that etcd grants with its default election timeout. */
const shortTtlMs = 2_000;

/** Sessions, their entries, and calls whose answer is lost. */
export const sessionCases: Readonly<Record<string, CoordinatorCase>> = {
  "the entries of a session vanish when it is closed, others stay": {
    async run({ prefix, connect }) {
      const client = await connect();
      const session = await client.openSession({ ttlMs: 10_000 });
      session.assertValid();
      assert.equal(session.state, "active");
      applied(
        await client.transact({
          change: [
            { put: `${prefix}mine`, value: "1", session },
            { put: `${prefix}free`, value: "1" },
          ],
        }),
      );
      assert.equal((await client.get(`${prefix}mine`))?.sessionId, session.id);
      assert.equal((await client.get(`${prefix}free`))?.sessionId, undefined);
      await session.close();
      await session.close();
      assert.equal(session.state, "closed");
      assert.ok(session.signal.aborted);
      assertEnded(session);
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
  "ordered entries stand in the order of their making, with growing tokens, and end": {
    async run({ prefix, connect }) {
      const [client, other] = [await connect(), await connect()];
      const session = await client.openSession({ ttlMs: 10_000 });
      const theirs = await other.openSession({ ttlMs: 10_000 });
      const made = [];
      for (let i = 0; i < 6; i++) {
        const from = i % 2 === 0 ? client : other;
        const entry = { prefix, value: `${i}`, session: i % 2 === 0 ? session : theirs };
        made.push(await from.createOrdered(entry));
      }
      const tokens = made.map(({ token }) => token);
      assert.deepEqual(tokens, [...new Set(tokens)].sort(), "every token is greater than before");
      const listed = async () =>
        (await other.list(prefix)).entries.toSorted((a, b) =>
          a.createRevision < b.createRevision ? -1 : 1,
        );
      const entries = await listed();
      assert.deepEqual(
        entries.map(({ key, token }) => ({ key, token })),
        made,
      );
      assert.deepEqual(
        entries.map(({ value }) => value),
        ["0", "1", "2", "3", "4", "5"],
      );
      await session.close();
      assert.deepEqual(
        (await listed()).map(({ value }) => value),
        ["1", "3", "5"],
      );
    },
  },
  "a condition on the owner holds for the owner's session alone": {
    async run({ prefix, connect }) {
      const client = await connect();
      const [mine, other] = [
        await client.openSession({ ttlMs: 10_000 }),
        await client.openSession({ ttlMs: 10_000 }),
      ];
      const { key, token } = await client.createOrdered({ prefix, value: "1", session: mine });
      const put = (owner: Session, of = key) =>
        client.transact({
          when: [{ key: of, ownedBy: owner }],
          change: [{ put: `${prefix}effect`, value: owner.id }],
        });
      assert.equal((await put(other)).outcome, "refused");
      assert.equal((await put(mine, `${prefix}none`)).outcome, "refused");
      const done = await put(mine);
      assert.equal(done.outcome, "applied");
      assert.ok(done.outcome === "applied" && done.token > token, "a later write, a greater token");
      // A key that hangs on no session is nobody's.
      assert.equal((await put(mine, `${prefix}effect`)).outcome, "refused");
      await mine.close();
      assert.equal((await put(mine)).outcome, "refused");
    },
  },
  "closing the client closes its sessions": {
    async run({ prefix, connect }) {
      const [client, other] = [await connect(), await connect()];
      const session = await client.openSession({ ttlMs: 10_000 });
      applied(await client.transact({ change: [{ put: `${prefix}a`, value: "1", session }] }));
      await client.close();
      assert.equal(session.state, "closed");
      assert.equal(await other.get(`${prefix}a`), undefined);
    },
  },
  "a session is renewed for longer than its time to live": {
    async run({ prefix, connect }) {
      const client = await connect();
      const session = await client.openSession({ ttlMs: shortTtlMs });
      applied(await client.transact({ change: [{ put: `${prefix}a`, value: "1", session }] }));
      const first = session.validUntil;
      await eventually("it outlives its first time", () => session.validUntil > first + shortTtlMs);
      assert.equal(session.state, "active");
      assert.ok(await client.get(`${prefix}a`));
    },
  },
  "under a black hole the holder knows of its loss before the server acts on it": {
    needs: ["proxy"],
    async run({ prefix, connect, connectThroughProxy, proxy }) {
      const [other, holder] = [await connect(), await connectThroughProxy()];
      const session = await holder.openSession({ ttlMs: shortTtlMs });
      applied(await holder.transact({ change: [{ put: `${prefix}a`, value: "1", session }] }));
      const followed = await follow(other, prefix);
      proxy.state = "silent";
      let lostAt: number | undefined;
      session.signal.addEventListener("abort", () => {
        lostAt = performance.now();
      });
      await eventually("the server ends it", () => !followed.entries.has(`${prefix}a`));
      const endedAt = performance.now();
      assert.equal(session.state, "lost");
      assert.ok(lostAt !== undefined && lostAt <= endedAt, `${lostAt} is after ${endedAt}`);
      assertEnded(session);
      proxy.state = "pass";
      assert.equal(session.state, "lost", "a loss is final");
      await followed.stop();
    },
  },
  "a session suspended and recovered in time is the same, with its entries": {
    needs: ["proxy"],
    async run({ prefix, connect, connectThroughProxy, proxy }) {
      const [other, holder] = [await connect(), await connectThroughProxy()];
      const session = await holder.openSession({ ttlMs: 8_000 });
      applied(await holder.transact({ change: [{ put: `${prefix}a`, value: "1", session }] }));
      const made = (await other.get(`${prefix}a`))?.createRevision;
      proxy.state = "silent";
      await eventually("it is suspended", () => session.state === "suspended");
      session.assertValid();
      proxy.state = "pass";
      await eventually("it recovers", () => session.state === "active");
      assert.equal((await other.get(`${prefix}a`))?.createRevision, made);
    },
  },
  "a crash of the server loses no data and ends no session": {
    needs: ["restart"],
    async run({ prefix, connect, restart }) {
      const client = await connect();
      const session = await client.openSession({ ttlMs: 6_000 });
      applied(await client.transact({ change: [{ put: `${prefix}mine`, value: "1", session }] }));
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
      await eventually("the session is renewed again", () => session.state === "active");
      const first = session.validUntil;
      await eventually("it lives on", () => session.validUntil > first + 6_000);
      assert.ok(await client.get(`${prefix}mine`));
      assert.ok((await put(client, `${prefix}next`, "1")) > before);
    },
  },
  "a transaction whose answer is lost is indeterminate, and was applied once or not at all": {
    needs: ["proxy"],
    async run({ prefix, connect, connectThroughProxy, proxy }) {
      const [other, client] = [await connect(), await connectThroughProxy()];
      for (let cut = 0; cut < 40; cut++) {
        const key = `${prefix}${cut}`;
        await client.get(key);
        proxy.cutAfterBytes(cut);
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
      }
      proxy.cutAfterBytes(Number.POSITIVE_INFINITY);
    },
  },
  "calls into a black hole end in time": {
    needs: ["proxy"],
    async run({ prefix, connectThroughProxy, proxy }) {
      const client = await connectThroughProxy();
      await client.get(prefix);
      proxy.state = "silent";
      const failure = await client.get(prefix, { timeoutMs: 300 }).catch((error: unknown) => error);
      assert.ok(isTenfoldError(failure, "TENFOLD_COORDINATION_UNAVAILABLE"), String(failure));
      assert.ok(failure.retryable);
      const change = [{ put: `${prefix}a`, value: "1" }];
      const { outcome } = await client.transact({ change }, { timeoutMs: 300 });
      assert.equal(outcome, "indeterminate");
      proxy.state = "pass";
      await eventually("the client recovers", () =>
        client.get(prefix).then(
          () => true,
          () => false,
        ),
      );
    },
  },
};

function assertEnded(session: Session): void {
  assert.throws(
    () => session.assertValid(),
    (error) => isTenfoldError(error, "TENFOLD_COORDINATION_SESSION_LOST"),
  );
}
