import { expect, test } from "vitest";

import type { Session } from "../../coordination/coordinator.ts";
import { steadyTime } from "../../coordination/steady-time.ts";
import { seededRandom } from "../../runtime/random.ts";
import { systemRuntime } from "../../runtime/runtime.ts";
import { type VirtualClock, virtualClock } from "../../simulation/virtual-clock.ts";
import type { Channel } from "./channel.ts";
import { leaseSession } from "./lease-session.ts";
import { leaseKeepAliveResponse } from "./messages.ts";
import { encode } from "./protobuf.ts";
import type { RpcReceiver } from "./rpc-call.ts";

const ttlMs = 6_000;

interface Server {
  /** How renewals are answered: after so many ms, or never. */
  answerMs: number;
  ttl: bigint;
  revoked: number;
  probes: number;
  doubts: number;
  hasOthers: boolean;
  streams: number;
  breakStream(): void;
}

interface Stand {
  readonly clock: VirtualClock;
  readonly server: Server;
  readonly era: AbortController;
  readonly session: Session;
}

function setUp(atClose: "end" | "leave" = "end"): Stand {
  const clock = virtualClock();
  let receiver: RpcReceiver | undefined;
  const server: Server = {
    answerMs: 10,
    ttl: 6n,
    revoked: 0,
    probes: 0,
    doubts: 0,
    hasOthers: false,
    streams: 0,
    breakStream: () => receiver?.end(),
  };
  const channel = {
    async stream(_path: string, to: RpcReceiver) {
      receiver = to;
      server.streams++;
      const answer = (): void => to.message(encode(leaseKeepAliveResponse, { ttl: server.ttl }));
      return {
        send: () => void (server.answerMs < 1e9 && clock.setTimer(server.answerMs, answer)),
        finish() {},
        cancel() {},
        probe: () => void server.probes++,
        doubt: () => {
          server.doubts++;
          return server.hasOthers;
        },
      };
    },
    async unary() {
      server.revoked++;
    },
  } as unknown as Channel;
  const runtime = { ...systemRuntime, clock, random: seededRandom("lease") };
  const time = steadyTime(clock);
  const era = new AbortController();
  const lease = { id: 7n, ttlMs, time, grantedAt: time.now(), era: era.signal, atClose };
  return { clock, server, era, session: leaseSession(channel, runtime, lease) };
}

test("it is valid from when the acknowledged renewal was sent, not from its answer", async () => {
  const { clock, server, session } = setUp();
  server.answerMs = 900;
  await clock.advance(60_000);
  expect(session.state).toBe("active");
  // A renewal is sent every second; the last acknowledged one was sent at 59 s at the latest.
  expect(session.validUntil).toBeLessThanOrEqual(59_000 + ttlMs * 0.94);
  expect(session.validUntil).toBeGreaterThan(57_000 + ttlMs * 0.94);
});

test("closed, it is revoked, or left to run out for whoever takes its entries over", async () => {
  for (const [atClose, revoked] of [
    ["end", 1],
    ["leave", 0],
  ] as const) {
    const { clock, server, session } = setUp(atClose);
    await clock.advance(2_000);
    await session.close();
    await session.close();
    expect(session.state).toBe("closed");
    expect(session.signal.aborted).toBe(true);
    const { streams } = server;
    await clock.advance(10_000);
    expect([server.revoked, server.streams]).toEqual([revoked, streams]);
  }
});

test("suspended after a third of its time in silence, lost before the whole, for good", async () => {
  const { clock, server, session } = setUp();
  await clock.advance(3_000);
  server.answerMs = Number.POSITIVE_INFINITY;
  await clock.advance(2_500);
  expect(session.state).toBe("suspended");
  expect(server.probes).toBeGreaterThan(0);
  session.assertValid();
  const until = session.validUntil;
  await clock.advance(until - clock.now());
  expect(session.signal.aborted).toBe(true);
  expect(() => session.assertValid()).toThrow(
    expect.objectContaining({ code: "TENFOLD_COORDINATION_SESSION_LOST" }),
  );
  server.answerMs = 0;
  await clock.advance(10_000);
  expect(session.state).toBe("lost");
});

test("suspended and answered in time, it is active again", async () => {
  const { clock, server, session } = setUp();
  server.answerMs = Number.POSITIVE_INFINITY;
  await clock.advance(4_000);
  expect(session.state).toBe("suspended");
  server.answerMs = 10;
  server.breakStream();
  await clock.advance(200);
  expect(session.state).toBe("active");
});

test("two unanswered renewals lead to another server, when there is one", async () => {
  const { clock, server, session } = setUp();
  await clock.advance(3_000);
  server.answerMs = Number.POSITIVE_INFINITY;
  await clock.advance(3_500);
  expect([server.doubts > 0, server.streams]).toEqual([true, 1]);
  server.hasOthers = true;
  await clock.advance(1_000);
  expect(server.streams).toBeGreaterThan(1);
  server.answerMs = 10;
  await clock.advance(1_000);
  expect(session.state).toBe("active");
});

test("a blocked event loop cannot make it believe: the comparison needs no timer", () => {
  const { clock, session } = setUp();
  let now = 0;
  clock.now = () => now;
  now = ttlMs;
  expect(session.signal.aborted).toBe(false);
  expect(() => session.assertValid()).toThrow();
  expect(session.state).toBe("lost");
});

test("a suspended machine cannot make it believe: the wall clock went on", () => {
  const { clock, session } = setUp();
  const wallNow = clock.wallNow();
  clock.wallNow = () => wallNow + ttlMs;
  expect(() => session.assertValid()).toThrow();
});

test("a wall clock that is set back does not make it live longer", async () => {
  const { clock, server, session } = setUp();
  server.answerMs = Number.POSITIVE_INFINITY;
  const wallNow = clock.wallNow.bind(clock);
  clock.wallNow = () => wallNow() - 60_000;
  await clock.advance(ttlMs * 0.94 + 1);
  expect(session.state).toBe("lost");
});

test("it ends with the store that granted it", () => {
  const { era, session } = setUp();
  era.abort();
  expect(session.state).toBe("lost");
  expect(session.signal.aborted).toBe(true);
});

test("a server that no longer knows the lease ends it at once", async () => {
  const { clock, server, session } = setUp();
  server.ttl = 0n;
  await clock.advance(1_100);
  expect(session.state).toBe("lost");
  await session.close();
  expect(server.revoked).toBe(0);
});

test("closing revokes once and stops renewing", async () => {
  const { clock, server, session } = setUp();
  await Promise.all([session.close(), session.close()]);
  expect(session.state).toBe("closed");
  await clock.run(60_000);
  expect(server.revoked).toBe(1);
  expect(clock.pending).toBe(0);
});
