import { expect, test } from "vitest";

import { systemRuntime } from "../runtime/runtime.ts";
import {
  absoluteAccess,
  checkCoordinatorAccess,
  connectFleetCoordinator,
} from "./coordinator-access.ts";

test("secrets are references, and what belongs together is given together", () => {
  const whole = { user: "shop", password: "env:P", ca: "file:/ca", certificate: "file:/c" };
  expect(() => checkCoordinatorAccess({ ...whole, key: "file:/k" })).not.toThrow();
  expect(() => checkCoordinatorAccess(whole)).toThrow(/both, certificate and key/);
  expect(() => checkCoordinatorAccess({ password: "env:P" })).toThrow(/both, user and password/);
  const literal = { token: "secret-of-ours" };
  expect(() => checkCoordinatorAccess(literal)).toThrow(/access\.token must be a reference/);
  expect(() => checkCoordinatorAccess(literal)).not.toThrow(/secret-of-ours/);
});

test("what other folders' processes are told of files is absolute", () => {
  const access = { user: "file:u", password: "env:P", ca: "file:ca.pem", key: "file:/k" };
  const absolute = { ...access, ca: "file:/srv/shop/ca.pem" };
  expect(absoluteAccess(access, "/srv/shop")).toEqual(absolute);
});

test("a secret that cannot be read is told by its reference", async () => {
  const access = { token: "env:TENFOLD_TEST_NO_SUCH_VARIABLE" };
  await expect(connectFleetCoordinator("etcd://c:1", access, systemRuntime)).rejects.toMatchObject({
    code: "TENFOLD_FLEET_SECRET_UNREADABLE",
    message: expect.stringContaining("env:TENFOLD_TEST_NO_SUCH_VARIABLE"),
  });
});
