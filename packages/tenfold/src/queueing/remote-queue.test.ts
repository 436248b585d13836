import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createMemoryQueue } from "../engines/memory/queue.ts";
import { saysRetryStop } from "../resilience/call-chain.ts";
import { TenfoldError } from "../runtime/errors.ts";
import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import {
  answerQueueCall,
  decodeQueueError,
  encodeQueueError,
  queueOperations,
} from "./queue-protocol.ts";
import { type RemoteCall, type RemoteCallOptions, remoteQueue } from "./remote-queue.ts";

const message = { key: "k", sort: "1", body: "{}", idempotencyKey: "1" };
const accepted = { status: "accepted", sequence: "1", body: "{}" };

describe("the owner's side", () => {
  const wrong: [string, unknown][] = [
    ["enqueue", undefined],
    ["enqueue", null],
    ["enqueue", []],
    ["enqueue", "text"],
    ["enqueue", { ...message, key: 1 }],
    ["enqueue", { ...message, body: undefined }],
    ["enqueue", { ...message, extra: 1 }],
    ["enqueue", JSON.parse('{"__proto__":{"key":"k"}}')],
    ["enqueue", { ...message, fingerprint: null }],
    ["claim", { max: "1", leaseMs: 1, waitMs: 0 }],
    ["claim", { max: 1.5, leaseMs: 1, waitMs: 0 }],
    ["claim", { max: -1, leaseMs: 1, waitMs: 0 }],
    ["settle", { settlements: {} }],
    ["settle", { settlements: [{ sequence: 1, token: "1", result: "done" }] }],
    ["settle", { settlements: [{ sequence: "01", token: "1", result: "done" }] }],
    ["settle", { settlements: [{ sequence: "-1", token: "1", result: "done" }] }],
    ["settle", { settlements: [{ sequence: "1".repeat(20), token: "1", result: "done" }] }],
    ["settle", { settlements: [{ sequence: "1", token: "1", result: "gone" }] }],
    ["settle", { settlements: [{ sequence: "1", token: "1", result: "dead" }] }],
    ["settle", { settlements: [{ sequence: "1", token: "1", result: "done", delayMs: 1 }] }],
    ["settle", { settlements: [{ sequence: "1", token: "1", result: "retry", reason: "" }] }],
    ["pending", { key: "k", limit: 0 }],
    ["completed", { after: 0, limit: 1 }],
    ["stats", { more: true }],
    ["close", {}],
    ["constructor", {}],
  ];
  test.each(wrong)(
    "%s of %j is refused with a code and changes nothing",
    async (operation, payload) => {
      const queue = createMemoryQueue();
      const answer = answerQueueCall(queue, operation, payload);
      await expect(answer).rejects.toMatchObject({ code: "TENFOLD_QUEUEING_MESSAGE_INVALID" });
      expect((await queue.stats()).accepted).toBe(0);
    },
  );

  test("whatever arrives, it answers or refuses with a code", async () => {
    const queue = createMemoryQueue();
    const operation = fc.constantFrom(...queueOperations, "close");
    await fc.assert(
      fc.asyncProperty(operation, fc.jsonValue(), async (name, payload) => {
        const code = await answerQueueCall(queue, name, payload).then(
          () => "answered",
          (error: TenfoldError) => error.code,
        );
        expect(["answered", "TENFOLD_QUEUEING_MESSAGE_INVALID"]).toContain(code);
      }),
      { examples: [["enqueue", [{ toString: "" }]]] },
    );
  });

  test("errors keep their code, and have a status", () => {
    const full = new TenfoldError("TENFOLD_QUEUEING_FULL", "full", {
      retryable: true,
      retryAfterMs: 5,
    });
    const { status, body } = encodeQueueError(full);
    expect(status).toBe(429);
    const { code, message, retryable, retryAfterMs } = full;
    const decoded = decodeQueueError(JSON.parse(JSON.stringify(body)));
    expect(decoded).toMatchObject({ code, message, retryable, retryAfterMs });
    for (const other of [undefined, null, {}, { error: null }, { error: { code: "ENOENT" } }]) {
      expect(decodeQueueError(other)).toBeUndefined();
    }
  });
});

/** Answers that come one after another; an `Error` is thrown. */
function script(...answers: unknown[]): { call: RemoteCall; calls: RemoteCallOptions[] } {
  const calls: RemoteCallOptions[] = [];
  const call: RemoteCall = async (_operation, _payload, options) => {
    const answer = answers[Math.min(calls.length, answers.length - 1)];
    calls.push(options);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { call, calls };
}

describe("a remote queue", () => {
  const reset = new Error("ECONNRESET");

  test("asks again while its owner restarts, as the same request", async () => {
    const { call, calls } = script(reset, reset, reset, accepted);
    expect((await remoteQueue(call).enqueue(message)).sequence).toBe(1n);
    expect(calls.length).toBe(4);
    expect(calls.every(({ idempotent }) => idempotent)).toBe(true);
  });

  test("gives up at the deadline, and says that the outcome is unknown", async () => {
    const { call, calls } = script(reset);
    const asked = remoteQueue(call).enqueue(message, { deadlineMs: 60 });
    await expect(asked).rejects.toMatchObject({
      code: "TENFOLD_QUEUEING_UNAVAILABLE",
      retryable: true,
      cause: reset,
    });
    expect(calls.length).toBeGreaterThan(1);
    for (const { deadlineMs } of calls) {
      expect(deadlineMs).toBeLessThanOrEqual(60);
      expect(deadlineMs, "AbortSignal.timeout takes whole numbers").toBe(Math.ceil(deadlineMs));
    }
  });

  test("never sends a claim twice: the first may have leased", async () => {
    const { call, calls } = script(reset, { jobs: [] });
    const asked = remoteQueue(call).claim({ max: 1, leaseMs: 1, waitMs: 1_000 });
    await expect(asked).rejects.toMatchObject({ code: "TENFOLD_QUEUEING_UNAVAILABLE" });
    expect(calls.length).toBe(1);
    expect(calls[0]?.idempotent).toBe(false);
    expect(calls[0]?.deadlineMs).toBeGreaterThan(1_000);
  });

  test("does not repeat what the owner refused", async () => {
    const full = new TenfoldError("TENFOLD_QUEUEING_FULL", "full", { retryable: true });
    const { call, calls } = script(full);
    await expect(remoteQueue(call).enqueue(message)).rejects.toBe(full);
    expect(calls.length).toBe(1);
  });

  test("stops at once when its caller goes away", async () => {
    const controller = new AbortController();
    const call: RemoteCall = async () => {
      controller.abort();
      throw reset;
    };
    const asked = remoteQueue(call).enqueue(message, { signal: controller.signal });
    await expect(asked).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
  });

  test.each([undefined, {}, { ...accepted, sequence: 1 }, { ...accepted, more: 1 }])(
    "believes no answer of another shape: %j",
    async (answer) => {
      const { call } = script(answer);
      const asked = remoteQueue(call).enqueue(message, { deadlineMs: 50 });
      await expect(asked).rejects.toMatchObject({ code: "TENFOLD_QUEUEING_UNAVAILABLE" });
    },
  );

  const stopped = { remainingMs: undefined, attempt: 2, mayRetry: false };

  test("is repeated for a request that is a repetition itself: nobody else would", async () => {
    const { call, calls } = script(reset, accepted);
    const result = await remoteQueue(call).enqueue(message, { incoming: stopped });
    expect(result.status).toBe("accepted");
    expect(calls.map(({ incoming }) => incoming)).toEqual([stopped, stopped]);
    const asked = remoteQueue(script(reset).call).enqueue(message, { deadlineMs: 30 });
    await expect(asked).rejects.toSatisfy(saysRetryStop);
  });

  test("tells those above where nobody was reached", async () => {
    const nobody = new TenfoldError("TENFOLD_DISCOVERY_NO_ENDPOINT", "nobody");
    const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    const { call } = script(nobody, refused, new TypeError("f", { cause: refused }), accepted);
    const result = await remoteQueue(call).enqueue(message, { incoming: stopped });
    expect(result.status).toBe("accepted");
    const asked = remoteQueue(script(nobody).call).enqueue(message, { deadlineMs: 30 });
    await expect(asked).rejects.not.toSatisfy(saysRetryStop);
  });

  test("gives up at the deadline of the request that it is made for", async () => {
    const { call, calls } = script(reset);
    const incoming = { remainingMs: 40, attempt: 1, mayRetry: true };
    const asked = remoteQueue(call).enqueue(message, { deadlineMs: 600_000, incoming });
    await expect(asked).rejects.toMatchObject({ code: "TENFOLD_QUEUEING_UNAVAILABLE" });
    for (const { deadlineMs } of calls) expect(deadlineMs).toBeLessThanOrEqual(40);
  });

  test("is asked at a steady rate however many wait, and by all once it answers", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 200 }), async (count) => {
        const clock = virtualClock();
        let calls = 0;
        let isWell = false;
        const call: RemoteCall = async () => {
          calls++;
          if (isWell) return accepted;
          throw reset;
        };
        const runtime = { clock, random: seededRandom("rate") };
        const queue = remoteQueue(call, { runtime });
        const ends: string[] = [];
        for (let i = 0; i < count; i++) {
          queue.enqueue(message, { deadlineMs: 30_000 }).then(
            ({ status }) => ends.push(status),
            () => ends.push("failed"),
          );
        }
        await clock.advance(1_000);
        const before = calls;
        await clock.advance(9_000);
        // Ten that wait for an eighth of a second each, or fewer.
        expect(calls - before).toBeLessThanOrEqual(9 * 100 + count);
        isWell = true;
        await clock.advance(5_000);
        expect(ends).toEqual(Array.from({ length: count }, () => "accepted"));
      }),
      { numRuns: 20 },
    );
  });
});
