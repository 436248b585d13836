import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { checkLinearizable, type RegisterAction, type RegisterCall } from "./linearizability.ts";

const call = (
  calledAt: number,
  answeredAt: number,
  action: RegisterAction,
  key = "a",
): RegisterCall => ({ key, calledAt, answeredAt, action });
const write = (value: string | undefined) => ({ kind: "write", value }) as const;
const read = (value: string | undefined) => ({ kind: "read", value }) as const;
const swap = (expected: string | undefined, value: string, refused = false) =>
  ({ kind: "swap", expected, value, refused }) as const;
const verdict = (calls: readonly RegisterCall[]): string => checkLinearizable(calls).verdict;

describe("a history of one key", () => {
  test("is fine when empty, in sequence, or explained by an overlap", () => {
    expect(verdict([])).toBe("linearizable");
    expect(verdict([call(0, 1, write("x")), call(2, 3, read("x"))])).toBe("linearizable");
    const overlapping = [
      call(0, 9, write("x")),
      call(1, 2, read(undefined)),
      call(3, 4, read("x")),
    ];
    expect(verdict(overlapping)).toBe("linearizable");
  });

  test("is broken by a stale read, a lost write, a value from nowhere, two winners", () => {
    const stale = [call(0, 1, write("x")), call(2, 3, write("y")), call(4, 5, read("x"))];
    expect(verdict(stale)).toBe("broken");
    expect(verdict([call(0, 1, write("x")), call(2, 3, read(undefined))])).toBe("broken");
    expect(verdict([call(0, 1, read("x"))])).toBe("broken");
    expect(verdict([call(0, 3, swap(undefined, "x")), call(1, 2, swap(undefined, "y"))])).toBe(
      "broken",
    );
    // Two reads that see one write in different orders of time.
    const back = [call(0, 9, write("x")), call(1, 2, read("x")), call(3, 4, read(undefined))];
    expect(verdict(back)).toBe("broken");
  });

  test("whose answer is unknown may or may not have taken effect, at any later time", () => {
    const unknown = call(0, Number.POSITIVE_INFINITY, write("x"));
    expect(verdict([unknown, call(5, 6, read(undefined))])).toBe("linearizable");
    expect(verdict([unknown, call(5, 6, read(undefined)), call(7, 8, read("x"))])).toBe(
      "linearizable",
    );
    expect(verdict([unknown, call(5, 6, read("x")), call(7, 8, read(undefined))])).toBe("broken");
    const unknownSwap = call(0, Number.POSITIVE_INFINITY, swap("z", "x"));
    expect(verdict([unknownSwap, call(5, 6, read("x"))])).toBe("broken");
  });

  test("with a refused swap says that something else was there", () => {
    expect(verdict([call(0, 1, write("x")), call(2, 3, swap("y", "z", true))])).toBe(
      "linearizable",
    );
    expect(verdict([call(0, 1, write("x")), call(2, 3, swap("x", "z", true))])).toBe("broken");
  });

  test("names the answers that no order explains", () => {
    const bad = call(4, 5, read("x"));
    const found = checkLinearizable([
      call(0, 1, write("x")),
      call(2, 3, write("y")),
      bad,
      call(0, 1, write("z"), "b"),
    ]);
    expect(found).toMatchObject({ verdict: "broken", key: "a", stuck: [bad] });
  });
});

test("keys are looked at one by one", () => {
  expect(verdict([call(0, 1, write("x"), "a"), call(2, 3, read(undefined), "b")])).toBe(
    "linearizable",
  );
});

test("a search that grows too long is given up, not guessed", () => {
  const many = Array.from({ length: 14 }, (_, i) => call(0, 10, write(`${i}`)));
  const calls = [...many, call(20, 21, read("none of them"))];
  expect(checkLinearizable(calls, { stepsMax: 1_000 })).toEqual({ verdict: "undecided", key: "a" });
});

interface Step {
  readonly at: number;
  readonly earlier: number;
  readonly later: number;
  readonly kind: "read" | "write" | "swap";
  readonly value: number;
}

const steps = fc.array(
  fc.record({
    at: fc.nat(20),
    earlier: fc.nat(6),
    later: fc.nat(6),
    kind: fc.constantFrom("read" as const, "write" as const, "swap" as const),
    value: fc.nat(2),
  }),
  { minLength: 1, maxLength: 7 },
);

/** What callers see of a register that carries each call out at one instant. */
function carriedOut(plan: readonly Step[]): RegisterCall[] {
  let state: string | undefined;
  return [...plan]
    .sort((a, b) => a.at - b.at)
    .map(({ at, earlier, later, kind, value }, order) => {
      const span = [at + order / 100 - earlier, at + order / 100 + later] as const;
      if (kind === "read") return call(...span, read(state));
      if (kind === "write") {
        state = `${value}`;
        return call(...span, write(state));
      }
      const expected = value === 0 ? undefined : `${value - 1}`;
      const refused = expected !== state;
      if (!refused) state = `${value}`;
      return call(...span, swap(expected, `${value}`, refused));
    });
}

/** Tries every order, without any cleverness. */
function isExplained(calls: readonly RegisterCall[], state?: string): boolean {
  if (calls.length === 0) return true;
  const firstEnd = Math.min(...calls.map((each) => each.answeredAt));
  return calls.some((each) => {
    if (each.calledAt > firstEnd) return false;
    const { action } = each;
    const rest = calls.filter((other) => other !== each);
    if (action.kind === "write") return isExplained(rest, action.value);
    if (action.kind === "read") return action.value === state && isExplained(rest, state);
    if (action.refused) return action.expected !== state && isExplained(rest, state);
    return action.expected === state && isExplained(rest, action.value);
  });
}

test("what a real register answers is always accepted", () => {
  fc.assert(fc.property(steps, (plan) => verdict(carriedOut(plan)) === "linearizable"));
});

test("what it would not answer is judged as trying every order does", () => {
  const answers = fc.array(fc.option(fc.nat(2), { nil: undefined }), {
    minLength: 7,
    maxLength: 7,
  });
  let broken = 0;
  fc.assert(
    fc.property(steps, answers, (plan, read7) => {
      const calls = carriedOut(plan).map((each, i) => {
        const { action } = each;
        if (action.kind !== "read") return each;
        const value = read7[i] === undefined ? undefined : `${read7[i]}`;
        return { ...each, action: { ...action, value } };
      });
      const found = verdict(calls);
      if (found === "broken") broken++;
      expect(found).toBe(isExplained(calls) ? "linearizable" : "broken");
    }),
  );
  expect(broken).toBeGreaterThan(5);
});
