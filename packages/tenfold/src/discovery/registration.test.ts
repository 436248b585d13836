import { expect, it } from "vitest";

import { isTenfoldError } from "../runtime/errors.ts";
import { registration, registrationName } from "./registration.ts";

const place = { host: "a", zone: "z1", nowMs: 7 };
const name = { service: "billing", instance: "billing-1" };

it("fills in what was left out", () => {
  expect(registration(name, { address: "10.0.0.7", port: 80 }, place)).toEqual({
    id: "billing-1",
    service: "billing",
    host: "a",
    zone: "z1",
    address: "10.0.0.7",
    port: 80,
    protocol: "http",
    version: "unknown",
    weight: 1,
    ttlMs: 15_000,
    startedAtMs: 7,
  });
});

it("takes what was given", () => {
  const given = { zone: "z2", version: "3", weight: 0, protocol: "grpc", ttlMs: 2_000 };
  const load = { utilisation: 0.5, requests: 3 };
  const body = { address: "fd00::7", port: 80, adminPort: 81, load, ...given };
  expect(registration(name, body, place)).toMatchObject({ adminPort: 81, load, ...given });
});

it.each([
  [undefined],
  [[]],
  ["text"],
  [{}],
  [{ address: "10.0.0.7" }],
  [{ address: "10.0.0.7", port: 0 }],
  [{ address: "10.0.0.7", port: "80" }],
  [{ address: "", port: 80 }],
  [{ address: "a b", port: 80 }],
  [{ address: "http://10.0.0.7", port: 80 }],
  [{ address: "10.0.0.7", port: 80, ttlMs: 100 }],
  [{ address: "10.0.0.7", port: 80, ttlMs: 1e9 }],
  [{ address: "10.0.0.7", port: 80, weight: 1e-9 }],
  [{ address: "10.0.0.7", port: 80, pid: 1 }],
  [{ address: "10.0.0.7", port: 80, service: "posts" }],
])("refuses the body %j", (body) => {
  expect(code(() => registration(name, body, place))).toBe("TENFOLD_DISCOVERY_MEMBER_INVALID");
});

it.each(["", ".", "..", "a/b", "-a", "a-", "a b", "é", "a".repeat(64), 7, undefined])(
  "refuses the name %j",
  (bad) => {
    expect(code(() => registrationName("posts", bad))).toBe("TENFOLD_DISCOVERY_MEMBER_INVALID");
    expect(code(() => registrationName(bad, "posts-1"))).toBe("TENFOLD_DISCOVERY_MEMBER_INVALID");
  },
);

function code(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    return isTenfoldError(error) ? error.code : String(error);
  }
  return undefined;
}
