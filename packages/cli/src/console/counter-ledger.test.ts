import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { counterLedger } from "./counter-ledger.ts";

const values = (failed: number) => new Map([["failed", failed]]);

describe("counterLedger", () => {
  test("the first sight is the whole value, told apart from growth", () => {
    const ledger = counterLedger();
    expect(ledger.read("gateway", "1", values(7))).toEqual({ initial: true, grown: values(7) });
    expect(ledger.read("gateway", "1", values(9))).toEqual({ initial: false, grown: values(2) });
  });

  test("after a restart the counter's value is its growth, also when it has overtaken", () => {
    const ledger = counterLedger();
    ledger.read("gateway", "1", values(7));
    expect(ledger.read("gateway", "2", values(3)).grown).toEqual(values(3));
    expect(ledger.read("gateway", "3", values(50)).grown).toEqual(values(50));
  });

  test("a fall under the same incarnation is a restart whose news is late", () => {
    const ledger = counterLedger();
    ledger.read("gateway", "1", values(7));
    expect(ledger.read("gateway", "1", values(2)).grown).toEqual(values(2));
  });

  test("the oldest instance is forgotten beyond the limit", () => {
    const ledger = counterLedger(2);
    for (const name of ["a", "b", "c"]) ledger.read(name, "1", values(1));
    expect(ledger.read("a", "1", values(1)).initial).toBe(true);
    expect(ledger.read("c", "1", values(1)).initial).toBe(false);
  });

  test("growth is never negative and adds up to what all lives of the process counted", () => {
    const life = fc.array(fc.nat(20), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(life, { minLength: 1, maxLength: 6 }), (lives) => {
        const ledger = counterLedger();
        let total = 0;
        let expected = 0;
        lives.forEach((steps, incarnation) => {
          let counter = 0;
          for (const step of steps) {
            counter += step;
            const growth = ledger.read("x", String(incarnation), values(counter)).grown;
            expect(growth.get("failed")).toBeGreaterThanOrEqual(0);
            total += growth.get("failed") ?? 0;
          }
          expected += counter;
        });
        expect(total).toBe(expected);
      }),
    );
  });
});
