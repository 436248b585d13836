import fc from "fast-check";
import { expect, it } from "vitest";

import type { Host } from "../balancing/host.ts";
import type { Picking } from "../balancing/picking.ts";
import { callPolicy } from "../resilience/call-policy.ts";
import { seededRandom } from "../runtime/random.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import type { DispatchHandler } from "./dispatcher.ts";
import { serviceInterceptor } from "./service-interceptor.ts";
import { staticResolver } from "./static-resolver.ts";

/** What becomes of one attempt, by what undici would tell of it. */
const fates = ["unsent", "silent", "reset", "ok", "refused", "cut", "stalls", "late"] as const;
type Fate = (typeof fates)[number];

interface Case {
  readonly endpoints: number;
  /** In turn, from the first attempt on; then all go well. */
  readonly fates: readonly Fate[];
  readonly requests: readonly {
    readonly abortAfterMs: number | undefined;
    readonly get: boolean;
  }[];
  readonly holdMs: number;
}

const cases: fc.Arbitrary<Case> = fc.record({
  endpoints: fc.integer({ min: 0, max: 3 }),
  fates: fc.array(fc.constantFrom(...fates), { maxLength: 30 }),
  requests: fc.array(
    fc.record({
      abortAfterMs: fc.option(fc.integer({ min: 0, max: 2_000 }), { nil: undefined }),
      get: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  ),
  holdMs: fc.constantFrom(0, 50, 600_000),
});

const reset = (code: string): Error => Object.assign(new Error(code), { code });

/** Plays the fates on a clock that the test moves. */
function transport(given: readonly Fate[], clock: ReturnType<typeof virtualClock>) {
  const left = [...given];
  const sent: number[] = [];
  const dispatch = (options: { readonly port: number }, handler: DispatchHandler): boolean => {
    const fate = left.shift() ?? "ok";
    const at = (ms: number, run: () => void): void => void clock.setTimer(ms, run);
    let aborted = false;
    const controller = {
      pause() {},
      resume() {},
      abort(reason: Error) {
        aborted = true;
        at(0, () => handler.onResponseError(controller, reason));
      },
    };
    const go = (run: () => void) => (): void => void (aborted || run());
    if (fate === "unsent") {
      at(1, () => handler.onResponseError(undefined, reset("ECONNREFUSED")));
      return true;
    }
    sent.push(options.port);
    handler.onRequestStart(controller, {});
    const status = fate === "refused" ? 503 : 200;
    if (fate === "silent") return true;
    if (fate === "reset")
      at(
        2,
        go(() => handler.onResponseError(controller, reset("ECONNRESET"))),
      );
    else
      at(
        fate === "late" ? 900 : 3,
        go(() => handler.onResponseStart(controller, status, {})),
      );
    if (fate === "reset" || fate === "stalls") return true;
    at(
      901,
      go(() => handler.onResponseData(controller, Buffer.from("x"))),
    );
    at(
      902,
      go(() => {
        if (fate === "cut") handler.onResponseError(controller, reset("UND_ERR_SOCKET"));
        else handler.onResponseEnd(controller, {});
      }),
    );
    return true;
  };
  return { dispatch: dispatch as unknown as () => boolean, sent };
}

it.each(["https://posts", "http://others", "no origin"])(
  "leaves a request to %s alone",
  (origin) => {
    const asked: unknown[] = [];
    const dispatch = (options: unknown, handler: unknown): boolean => {
      asked.push(options, handler);
      return true;
    };
    const resolver = staticResolver({ posts: [{ address: "127.0.0.1", port: 1 }] });
    const intercepted = serviceInterceptor({ service: "posts", resolver })(dispatch);
    const options = { origin, path: "/", method: "GET" };
    const handler = {};
    expect(intercepted(options, handler)).toBe(true);
    expect(asked).toEqual([options, handler]);
    expect(asked[0]).toBe(options);
  },
);

it("gives back every place and pick, and tells each caller one end, whatever happens", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ endpoints, fates: given, requests, holdMs }) => {
      const clock = virtualClock();
      const runtime = { clock, random: seededRandom("intercepted") };
      const hosts = new Set<Host>();
      const first: Picking = () => ({
        pick(all) {
          for (const host of all) hosts.add(host);
          return all[0] as Host;
        },
      });
      const policy = callPolicy({ runtime, deadlineMs: 3_000, tryTimeoutMs: 500 });
      const posts = Array.from({ length: endpoints }, (_, i) => ({
        address: "127.0.0.1",
        port: 10_000 + i,
      }));
      const { dispatch, sent } = transport(given, clock);
      await using interceptor = serviceInterceptor({
        service: "posts",
        resolver: staticResolver({ posts }),
        balancing: { picking: first },
        policy,
        runtime,
        holdMs,
      });
      const intercepted = interceptor(dispatch) as unknown as (o: object, h: object) => boolean;
      const ends: number[] = [];
      for (const [i, { abortAfterMs, get }] of requests.entries()) {
        ends[i] = 0;
        const end = (): void => {
          ends[i] = (ends[i] as number) + 1;
        };
        intercepted({ origin: "http://posts", path: "/", method: get ? "GET" : "POST" }, {
          onRequestStart(controller: { abort(reason: Error): void }) {
            if (abortAfterMs === undefined) return;
            clock.setTimer(abortAfterMs, () => controller.abort(new Error("the user left")));
          },
          onResponseStart() {},
          onResponseData() {},
          onResponseEnd: end,
          onResponseError: end,
        } satisfies Partial<Record<keyof DispatchHandler, unknown>>);
      }
      for (let step = 0; step < 20; step++) await clock.advance(300);
      const stalled = given.filter((fate) => fate === "stalls").length;
      const open = ends.filter((count) => count === 0).length;
      // What stalls in its body is cut by the idle limit of the connection, which is not played.
      expect(open).toBeLessThanOrEqual(stalled);
      expect(ends.every((count) => count <= 1)).toBe(true);
      expect(policy.bulkhead?.inUse).toBe(open);
      expect([...hosts].reduce((sum, { pending }) => sum + pending, 0)).toBe(open);
      // Two attempts each, once more for a kept connection that was closed.
      expect(sent.length).toBeLessThanOrEqual(requests.length * 3);
      const writes = requests.filter(({ get }) => !get).length;
      if (writes === requests.length) expect(sent.length).toBeLessThanOrEqual(writes);
    }),
    { numRuns: 40 },
  );
}, 30_000);
