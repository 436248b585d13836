import fc from "fast-check";
import { expect, it } from "vitest";

import { keyedLimiter } from "./keyed-limiter.ts";
import { gcra, type RateLimiter } from "./rate-limiter.ts";

const perKey = (keysMax: number) =>
  keyedLimiter({ keysMax, limiter: () => gcra({ perSecond: 1, burst: 1 }) });

it("limits each key by itself", () => {
  const limits = perKey(10);
  expect([limits.take(0, "a"), limits.take(0, "b")]).toEqual([0, 0]);
  expect(limits.take(1, "a")).toBeCloseTo(999);
});

it("keeps so many keys, and forgets the longest unused", () => {
  const limits = perKey(2);
  limits.take(0, "a");
  limits.take(0, "b");
  limits.take(0, "a");
  limits.take(0, "c");
  expect(limits.size).toBe(2);
  expect(limits.take(1, "a")).toBeGreaterThan(0);
  expect(limits.take(1, "b")).toBe(0);
});

it("refuses a limit that is none", () => {
  expect(() => perKey(0)).toThrow(/keysMax must be/);
});

it("is a limiter for each key, and of too many keys for those used last", () => {
  const step = fc.tuple(fc.nat(500), fc.string({ maxLength: 1 }), fc.integer({ min: 1, max: 3 }));
  const limiter = () => gcra({ perSecond: 4, burst: 3 });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200 }),
      fc.integer({ min: 1, max: 8 }),
      (steps, keys) => {
        const limits = keyedLimiter({ keysMax: keys, limiter });
        /** The one used last stands last. */
        const plain: { readonly key: string; readonly limiter: RateLimiter }[] = [];
        let now = 0;
        for (const [wait, key, cost] of steps) {
          now += wait;
          const at = plain.findIndex((each) => each.key === key);
          const own = plain.splice(at, at < 0 ? 0 : 1)[0] ?? { key, limiter: limiter() };
          plain.push(own);
          if (plain.length > keys) plain.shift();
          expect(limits.take(now, key, cost)).toBe(own.limiter.take(now, cost));
          expect(limits.size).toBe(plain.length);
        }
      },
    ),
  );
});
