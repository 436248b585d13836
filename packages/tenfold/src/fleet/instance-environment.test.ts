import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { logLevels } from "../runtime/log.ts";
import {
  formatInstanceEnvironment,
  type InstanceEnvironment,
  type InstanceVariable,
  instanceVariables,
  parseInstanceEnvironment,
} from "./instance-environment.ts";

const defaults = { service: "posts", pid: 77 };

const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,30}$/);
const label = fc.stringMatching(/^\w[\w.+-]{0,30}$/);
const port = fc.integer({ min: 0, max: 65_535 });
/** What JSON gives back as it was. */
const json = fc
  .dictionary(fc.string({ minLength: 1 }), fc.jsonValue(), { maxKeys: 4 })
  .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>);

const environments: fc.Arbitrary<InstanceEnvironment> = fc.record({
  instance: fc.record({
    fleet: name,
    service: name,
    name,
    host: label,
    zone: label,
    address: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom("localhost", "node-1.internal")),
    port,
    adminPort: port,
    dataFolder: fc.array(label, { minLength: 1, maxLength: 3 }).map((all) => resolve("/", ...all)),
    version: label,
  }),
  coordinator: fc.constantFrom("etcd://10.0.0.1:2379,10.0.0.2:2379", "http://[::1]:2379"),
  coordinatorAccess: fc.constantFrom(
    undefined,
    {},
    { token: "file:/run/etcd-token" },
    { user: "shop", password: "env:ETCD_PASSWORD" },
  ),
  token: fc.constantFrom("file:/run/token", "env:FLEET_TOKEN", undefined),
  settings: json,
  stores: json,
  logLevel: fc.constantFrom(...logLevels),
});

describe("instance environment", () => {
  it("reads back what it wrote", () => {
    fc.assert(
      fc.property(environments, (environment) => {
        const variables = formatInstanceEnvironment(environment);
        expect(parseInstanceEnvironment(variables, defaults)).toEqual(environment);
      }),
    );
  });

  it("writes every variable that it knows", () => {
    const [sample] = fc.sample(environments, 1) as [InstanceEnvironment];
    const given = { token: "env:T", coordinatorAccess: {} };
    const written = formatInstanceEnvironment({ ...sample, ...given });
    expect(Object.keys(written).sort()).toEqual(Object.keys(instanceVariables).sort());
  });

  it("has an answer for a person who starts a service by hand", () => {
    expect(parseInstanceEnvironment({ TENFOLD_ZONE: "" }, defaults)).toEqual({
      instance: {
        fleet: "local",
        service: "posts",
        name: "posts-77",
        host: "local",
        zone: "local",
        address: "127.0.0.1",
        port: 0,
        adminPort: 0,
        dataFolder: resolve(".tenfold/local/posts-77"),
        version: "dev",
      },
      coordinator: "etcd://127.0.0.1:2379",
      token: undefined,
      settings: {},
      stores: {},
      logLevel: "info",
    });
  });

  it.each<[InstanceVariable, string]>([
    ["TENFOLD_FLEET", "My Fleet"],
    ["TENFOLD_SERVICE", "../posts"],
    ["TENFOLD_INSTANCE", "posts_2"],
    ["TENFOLD_HOST", "a/b"],
    ["TENFOLD_ZONE", "z 1"],
    ["TENFOLD_ADDRESS", "http://127.0.0.1"],
    ["TENFOLD_ADDRESS", "256.1.1.1"],
    ["TENFOLD_PORT", "-1"],
    ["TENFOLD_PORT", "65536"],
    ["TENFOLD_PORT", "0x50"],
    ["TENFOLD_ADMIN_PORT", "80 "],
    ["TENFOLD_VERSION", "1\n2"],
    ["TENFOLD_COORDINATOR", "zookeeper://a:1"],
    ["TENFOLD_COORDINATOR", "etcd://user:pass@a:1"],
    ["TENFOLD_SETTINGS", "{"],
    ["TENFOLD_SETTINGS", "[]"],
    ["TENFOLD_STORES", "null"],
    ["TENFOLD_LOG_LEVEL", "verbose"],
  ])("refuses %s=%j and names it", (variable, text) => {
    expect(() => parseInstanceEnvironment({ [variable]: text }, defaults)).toThrow(
      expect.objectContaining({
        code: "TENFOLD_FLEET_ENVIRONMENT_INVALID",
        message: expect.stringMatching(new RegExp(`^${variable}: `)),
      }),
    );
  });

  it("does not repeat what may be a secret", () => {
    for (const variable of ["TENFOLD_TOKEN", "TENFOLD_STORES", "TENFOLD_SETTINGS"]) {
      const parse = (): unknown => parseInstanceEnvironment({ [variable]: "hunter2" }, defaults);
      expect(parse).toThrow(expect.not.objectContaining({ message: /hunter2/ }));
      expect(parse).toThrow(/^(?!.*hunter2)/s);
    }
  });
});
