import fc from "fast-check";
import { expect, test } from "vitest";

import { clientTotals } from "./client-totals.ts";

const reading = (incarnation: string, requests: number, failed: number) => ({
  instance: "gateway",
  incarnation,
  requests,
  failed,
});

test("whatever restarts in between, the totals are what all gateway processes counted", () => {
  // A step: requests served, of which one failed, and who was restarted before it.
  const step = fc.record({
    requests: fc.nat(50),
    failed: fc.nat(3),
    gatewayRestarts: fc.boolean(),
    consoleRestarts: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let totals = clientTotals();
      let life = 0;
      let counted = { requests: 0, failed: 0 };
      const expected = { requests: 0, failed: 0 };
      for (const { requests, failed, gatewayRestarts, consoleRestarts } of steps) {
        if (gatewayRestarts) {
          life++;
          counted = { requests: 0, failed: 0 };
        }
        if (consoleRestarts) totals = clientTotals(JSON.parse(JSON.stringify(totals.save())));
        counted = { requests: counted.requests + requests, failed: counted.failed + failed };
        expected.requests += requests;
        expected.failed += failed;
        totals.read(reading(String(life), counted.requests, counted.failed));
        expect({ requests: totals.requests, failed: totals.failed }).toEqual(expected);
      }
    }),
  );
});
