import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import type { DispatchHandler } from "./dispatcher.ts";
import { retryAfterMs } from "./retry-after.ts";
import { serviceInterceptor } from "./service-interceptor.ts";
import { staticResolver } from "./static-resolver.ts";

const at = Date.UTC(1994, 10, 6, 8, 49, 30);
const clock = { wallNow: () => at };

describe("Retry-After", () => {
  it.each<[string | string[] | undefined, number]>([
    ["0", 0],
    ["7", 7_000],
    [" 7 ", 7_000],
    ["600", 600_000],
    ["601", 600_000],
    ["999999999999999", 600_000],
    ["9".repeat(400), 0],
    ["Sun, 06 Nov 1994 08:49:37 GMT", 7_000],
    ["Sunday, 06-Nov-94 08:49:37 GMT", 7_000],
    ["Sun Nov  6 08:49:37 1994", 7_000],
    ["Sun, 06 Nov 1994 08:49:23 GMT", 0],
    ["Sun, 06 Nov 2094 08:49:37 GMT", 600_000],
    ["Sun, 66 Nov 1994 08:49:37 GMT", 0],
    ["-7", 0],
    ["1.5", 0],
    ["1e3", 0],
    ["0x10", 0],
    ["1994-11-06T08:49:37Z", 0],
    ["soon", 0],
    ["", 0],
    [["7", "8"], 0],
    [undefined, 0],
  ])("%j asks for %d ms", (value, ms) => {
    expect(retryAfterMs(value, clock)).toBe(ms);
  });

  it("is from 0 to the longest deadline, whatever comes", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.date().map(String), fc.double().map(String)),
        (value) => {
          const ms = retryAfterMs(value, clock);
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(ms).toBeLessThanOrEqual(600_000);
        },
      ),
    );
  });

  it("reads back what a server says of a date", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 600 }), (seconds) => {
        const date = new Date(at + seconds * 1_000).toUTCString();
        expect(retryAfterMs(date, clock)).toBe(seconds * 1_000);
      }),
    );
  });
});

/** A service whose instances refuse so many requests and then answer; the times of all. */
async function asked(instances: number, refusals: number, retryAfter: string) {
  const time = virtualClock();
  const times: number[] = [];
  const dispatch = (_options: object, handler: DispatchHandler): boolean => {
    const isRefused = times.push(time.now()) <= refusals;
    const controller = { pause() {}, resume() {}, abort() {} };
    handler.onRequestStart(controller, {});
    const headers = { "content-length": "0", "retry-after": retryAfter };
    handler.onResponseStart(controller, isRefused ? 503 : 200, isRefused ? headers : {});
    time.setTimer(0, () => handler.onResponseEnd(controller, {}));
    return true;
  };
  const posts = Array.from({ length: instances }, (_, i) => ({ address: "10.0.0.1", port: i + 1 }));
  await using interceptor = serviceInterceptor({
    service: "posts",
    resolver: staticResolver({ posts }),
    runtime: { clock: time, random: seededRandom("retry-after") },
    policy: { deadlineMs: 20_000, runtime: { clock: time, random: seededRandom("policy") } },
  });
  const statuses: number[] = [];
  const intercepted = interceptor(dispatch as never) as unknown as (
    o: object,
    h: object,
  ) => boolean;
  intercepted(
    { origin: "http://posts", path: "/", method: "GET" },
    {
      onRequestStart() {},
      onResponseStart: (_controller: object, status: number) => void statuses.push(status),
      onResponseData() {},
      onResponseEnd() {},
      onResponseError() {},
    },
  );
  for (let step = 0; step < 30; step++) await time.advance(1_000);
  return { statuses, gaps: times.slice(1).map((each, i) => each - (times[i] as number)) };
}

describe("an instance that says when to come back", () => {
  it("is asked again then, when there is no other", async () => {
    const { statuses, gaps } = await asked(1, 1, "7");
    expect(statuses).toEqual([200]);
    expect(gaps[0]).toBeGreaterThanOrEqual(7_000);
    expect(gaps[0]).toBeLessThanOrEqual(9_000);
    expect(gaps[0]).toBeGreaterThanOrEqual(7_000);
  });

  it("keeps nobody from another one", async () => {
    const { statuses, gaps } = await asked(2, 1, "7");
    expect(statuses).toEqual([200]);
    expect(gaps.length).toBe(1);
    expect(gaps[0]).toBeLessThan(250);
  });

  it.each(["30", "0", "never"])("is not asked again within the call for %j", async (value) => {
    expect(await asked(1, 1, value)).toEqual({ statuses: [503], gaps: [] });
  });
});
