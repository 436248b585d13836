import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

import { registryVariables } from "./registry.ts";

const data = mkdtempSync(join(tmpdir(), "tenfold-registry-"));
const access = { ca: "file:/etc/ca.pem", certificate: "file:/etc/c", key: "file:/etc/k" };

beforeAll(() => {
  const coordinator = "https://e1:2379";
  const told = { address: "http://127.0.0.1:1", pid: process.pid, fleet: "shop", coordinator };
  writeFileSync(join(data, "supervisor.json"), JSON.stringify({ ...told, access }));
  writeFileSync(join(data, "token"), "a-token-of-24-characters");
});
afterAll(() => rmSync(data, { recursive: true }));

it("has the token of the fleet beside which it runs, and its access to etcd", () => {
  expect(registryVariables({ listen: "[::1]:8085", data })).toEqual({
    TENFOLD_FLEET: "shop",
    TENFOLD_ADDRESS: "::1",
    TENFOLD_PORT: "8085",
    TENFOLD_COORDINATOR: "https://e1:2379",
    TENFOLD_TOKEN: `file:${join(data, "token")}`,
    TENFOLD_COORDINATOR_ACCESS: JSON.stringify(access),
  });
  const other = registryVariables({ listen: "127.0.0.1:8085", data, fleet: "other" });
  expect(other.TENFOLD_FLEET).toBe("other");
});

it("passes the token on to a coordinator that it is named", () => {
  const options = { listen: "127.0.0.1:8085", coordinator: "etcd://e1:2379" };
  expect(registryVariables(options)).not.toHaveProperty("TENFOLD_COORDINATOR_ACCESS");
  expect(registryVariables({ ...options, token: "env:T" })).toMatchObject({
    TENFOLD_TOKEN: "env:T",
    TENFOLD_COORDINATOR_ACCESS: JSON.stringify({ token: "env:T" }),
  });
});

it.each(["0.0.0.0:8085", "[::]:8085", "[0::0]:8085", ":8085", "8085"])("refuses %s", (listen) => {
  const refused = expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" });
  expect(() => registryVariables({ listen, data })).toThrow(refused);
});
