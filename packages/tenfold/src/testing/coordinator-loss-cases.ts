import assert from "node:assert/strict";

import { type ClientClock, type ClientProcess, trueNow } from "./client-process.ts";
import {
  type CoordinatorCase,
  type CoordinatorCases,
  type CoordinatorGround,
  isValid,
  pause,
  put,
} from "./coordinator-steps.ts";

/**
 * A holder of a session, what is done to its link, and then: it must know of its loss before the
 * server has acted on it. `delayMs`: its answers come so late; who counts from them errs by it.
 */
function linkCase(
  disturb: (ground: CoordinatorGround) => void,
  { delayMs = 0 }: { readonly delayMs?: number } = {},
): CoordinatorCase {
  return {
    property: 8,
    needs: ["addresses"],
    async run(ground) {
      const { prefix, connect, connectThroughProxy, proxy, ttlMs, follow, eventually } = ground;
      const [other, holder] = [await connect(), await connectThroughProxy()];
      const open = async () => {
        proxy.set({ delayMs: 0 });
        // Renewed less often than an answer takes: an overdue one sends the client elsewhere.
        const opened = await holder.openSession({ ttlMs: ttlMs + 5 * delayMs });
        proxy.set({ delayMs }, "toClients");
        return { session: opened, first: opened.validUntil };
      };
      let { session, first } = await open();
      await eventually("it is renewed", async () => {
        // On a machine so busy that it did not last, another one.
        if (!isValid(session)) ({ session, first } = await open());
        return session.validUntil > first + 2 * delayMs;
      });
      await put(holder, `${prefix}a`, "1", session);
      const followed = await follow(other, prefix);
      await eventually("it holds", () => followed.entries.has(`${prefix}a`));
      disturb(ground);
      let lostAt = session.signal.aborted ? 0 : Number.POSITIVE_INFINITY;
      session.signal.addEventListener("abort", () => {
        lostAt = performance.now();
      });
      await eventually("the server ends it", () => !followed.entries.has(`${prefix}a`));
      const endedAt = performance.now();
      assert.equal(isValid(session), false, "it does not believe in what the server has ended");
      assert.equal(session.state, "lost");
      assert.ok(session.validUntil <= endedAt, `valid until ${session.validUntil - endedAt} later`);
      assert.ok(lostAt <= endedAt + 50, `its signal comes ${lostAt - endedAt} ms late`);
      proxy.set({ delayMs: 0 });
      proxy.state = "pass";
      await pause(50);
      assert.equal(session.state, "lost", "a loss is final");
      await followed.stop();
    },
  };
}

/** The same with a holder in a process of its own. */
function processCase(
  property: number,
  disturb: (holder: ClientProcess, ground: CoordinatorGround, ttlMs: number) => Promise<void>,
  options: {
    readonly clock?: ClientClock;
    readonly ttlFactor?: number;
  } = {},
): CoordinatorCase {
  const { clock, ttlFactor = 1 } = options;
  return {
    property,
    needs: clock ? ["addresses", "clientProcess", "fakeClock"] : ["addresses", "clientProcess"],
    async run(ground) {
      const { prefix, connect, startProcess, follow, eventually } = ground;
      const ttlMs = ground.ttlMs * ttlFactor;
      const other = await connect();
      const followed = await follow(other, prefix);
      const holder = await startProcess({ isBehindProxy: true, ...(clock && { clock }) });
      await holder.ask({ do: "hold", ttlMs, key: `${prefix}a` });
      const isHeld = (): boolean => followed.entries.has(`${prefix}a`);
      await eventually("it holds", () => isHeld() && holder.claims.some((one) => one.isValid));
      await disturb(holder, ground, ttlMs);
      await eventually("the server ends it", () => !isHeld());
      const endedAt = trueNow();
      holder.signal("SIGCONT");
      await eventually("it knows", () => holder.claims.at(-1)?.isValid === false);
      const late = holder.claims.filter(({ at, isValid: was }) => was && at > endedAt);
      assert.deepEqual(late, [], `claims after the server had ended it, at ${endedAt}`);
      await followed.stop();
    },
  };
}

const silence = async (_: ClientProcess, { proxy }: CoordinatorGround): Promise<void> => {
  proxy.state = "silent";
};

/** A session that the server ends is over for its holder before that, whatever went wrong. */
export const lossCases: CoordinatorCases = {
  "a black hole: the holder knows of its loss before the server acts on it": linkCase(
    ({ proxy }) => {
      proxy.state = "silent";
    },
  ),
  "a link that resets: the holder knows of its loss before the server acts on it": linkCase(
    ({ proxy }) => {
      proxy.state = "cut";
    },
  ),
  "a link that no longer carries what the holder says: it knows before the server acts": linkCase(
    ({ proxy }) => {
      proxy.state = "mute";
    },
  ),
  "a link that carries no answers: the holder knows before the server acts": linkCase(
    ({ proxy }) => {
      proxy.state = "deaf";
    },
  ),
  "slow answers, then none: validity counts from when a renewal was sent": linkCase(
    ({ proxy }) => {
      // The answers on their way still come: to the last renewal that the server has heard.
      proxy.state = "mute";
    },
    { delayMs: 800 },
  ),
  "a holder that was stopped knows when it goes on": processCase(8, async (holder) => {
    holder.signal("SIGSTOP");
  }),
  "a holder whose event loop was blocked knows before anything else runs": processCase(
    8,
    async (holder, _ground, ttlMs) => {
      await holder.ask({ do: "block", ms: ttlMs + 1_500 });
    },
  ),
  "a holder whose clocks run 5 % slow believes no longer than the server": processCase(
    16,
    silence,
    { clock: { offset: "+0 x0.95" }, ttlFactor: 3 },
  ),
  "a holder whose clocks run 5 % fast believes no longer than the server": processCase(
    16,
    silence,
    { clock: { offset: "+0 x1.05" } },
  ),
  "a holder whose wall clock steps back a minute believes no longer than the server":
    steppedCase("-60"),
  "a holder whose wall clock steps on a minute believes no longer than the server":
    steppedCase("+60"),
};

/** Its wall clock steps while it holds; whether the session goes on or is given up is its own. */
function steppedCase(seconds: string): CoordinatorCase {
  return processCase(
    16,
    async (holder, ground) => {
      await holder.setClock(seconds);
      await silence(holder, ground);
    },
    { clock: { offset: "+0", onlyWall: true } },
  );
}
