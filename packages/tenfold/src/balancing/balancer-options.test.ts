import { describe, expect, it } from "vitest";

import { isTenfoldError } from "../runtime/errors.ts";
import { seededRandom } from "../runtime/random.ts";
import { balancer } from "./balancer.ts";
import { boundedHash } from "./bounded-hash.ts";
import { dynamicWeighted } from "./dynamic-weighted.ts";
import { peakEwmaLoad } from "./peak-ewma-load.ts";
import { hosts, pool } from "./pool.fixture.ts";
import { randomChoices } from "./random-choices.ts";
import { serverQueues } from "./server-queues.ts";

const random = seededRandom("options");

/** Whatever takes options, with what it needs at least. */
const takers: readonly (readonly [string, (more: object) => unknown])[] = [
  ["A balancer", (more) => balancer({ random, ...more })],
  ["zone", (more) => balancer({ random, zone: { own: "a", ...more } })],
  ["peakEwmaLoad", (more) => peakEwmaLoad(more)],
  ["randomChoices", (more) => randomChoices(more)],
  ["boundedHash", (more) => boundedHash(more)],
  ["dynamicWeighted", (more) => dynamicWeighted(more)],
  ["serverQueues", (more) => serverQueues({ balancer: pool(hosts(1)), inFlightMax: 1, ...more })],
];

describe.each(takers)("%s", (name, take) => {
  it("refuses a key that it does not know, and says which it knows", () => {
    expect(() => take({})).not.toThrow();
    try {
      take({ choises: 4 });
      expect.unreachable();
    } catch (error) {
      expect(isTenfoldError(error, "TENFOLD_OPTION_UNKNOWN")).toBe(true);
      expect(String(error)).toMatch(`${name} has no "choises". It knows: `);
    }
  });
});
