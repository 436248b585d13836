import { expect, it } from "vitest";

import { hosts, once, pool } from "./pool.fixture.ts";

it("tells what the next choice is made by", () => {
  const choice = pool(hosts(3), { failuresMax: 1, slowStartMs: 0 });
  const only = (id: string) => ({
    exclude: new Set(["h0", "h1", "h2"].filter((other) => other !== id)),
  });
  for (const id of ["h0", "h1"]) once(choice, 0, "success", only(id));
  const underWay = choice.pick(0, only("h0"));
  once(choice, 0, "failure", only("h2"));
  const [h0, h1, h2] = choice.view(0);
  expect(h0).toMatchObject({ id: "h0", weight: 1, pending: 1, failures: 0, ejected: false });
  expect(h1).toMatchObject({ id: "h1", pending: 0, probeInMs: 0 });
  expect(h0?.load).toBe(2 * (h1?.load ?? Number.NaN));
  expect(h1?.load).toBe(h1?.latencyMs);
  expect(h2).toMatchObject({ id: "h2", failures: 1, ejected: true, latencyMs: undefined });
  expect(h2?.probeInMs).toBeGreaterThan(0);
  underWay?.release();
  choice.update(hosts(3).map((host) => ({ ...host, weight: host.id === "h1" ? 1 : 0 })));
  expect(choice.view(1).map(({ id }) => id)).toEqual(["h1"]);
});
