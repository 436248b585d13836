import { expect, it } from "vitest";

import type { ServiceTarget } from "./dns-records.ts";
import { addressEndpoints, serviceGroups } from "./dns-records.ts";

function target(name: string, own: Partial<ServiceTarget> = {}): ServiceTarget {
  return { name, port: 80, priority: 1, weight: 0, addresses: ["10.0.0.1"], ...own };
}

function weights(targets: readonly ServiceTarget[]): Record<string, number>[] {
  return serviceGroups(targets, "z").map((group) =>
    Object.fromEntries(group.map(({ id, weight }) => [id, weight])),
  );
}

it("lists every address once, in an order that does not turn with the answer", () => {
  const records = ["10.0.0.2", "10.0.0.1", "10.0.0.2"].map((address) => ({ address, ttl: 1 }));
  const ids = addressEndpoints(records, 8080, "z").map(({ id }) => id);
  expect(ids).toEqual(["10.0.0.1:8080", "10.0.0.2:8080"]);
  const [six] = addressEndpoints([{ address: "fd00::1", ttl: 1 }], 8080, "z");
  expect(six).toMatchObject({ id: "[fd00::1]:8080", address: "fd00::1", port: 8080, zone: "z" });
});

it("gives targets their weights, and alike ones when none has any", () => {
  expect(weights([target("a", { weight: 60 }), target("b", { weight: 20 })])).toEqual([
    { "a:80": 60, "b:80": 20 },
  ]);
  expect(weights([target("a"), target("b")])).toEqual([{ "a:80": 1, "b:80": 1 }]);
});

it("gives a target of weight 0 a very small share beside others, never none", () => {
  const [group] = weights([target("a", { weight: 1 }), target("b")]);
  expect(group?.["b:80"]).toBeGreaterThan(0);
  expect(group?.["b:80"]).toBeLessThan(0.1);
});

it("shares a target's weight among its addresses", () => {
  const addresses = ["10.0.0.1", "10.0.0.2"];
  expect(weights([target("a", { weight: 10, addresses }), target("b", { weight: 10 })])).toEqual([
    { "a:80/10.0.0.1": 5, "a:80/10.0.0.2": 5, "b:80": 10 },
  ]);
});

it("puts the lowest priority number first and leaves out groups without addresses", () => {
  expect(
    weights([
      target("backup", { priority: 20 }),
      target("gone", { priority: 5, addresses: [] }),
      target("main", { priority: 10 }),
    ]),
  ).toEqual([{ "main:80": 1 }, { "backup:80": 1 }]);
});
