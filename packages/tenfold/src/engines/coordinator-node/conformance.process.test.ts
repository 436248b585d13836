import { afterAll, beforeAll, describe, test } from "vitest";

import { testConformance } from "../../testing/conformance-tests.fixture.ts";
import { nodeOptions, startForgetfulNode } from "../../testing/node-conformance.fixture.ts";
import type { CoordinatorServer } from "../../testing/server-process.fixture.ts";

describe("the embedded node through the etcd client", () => {
  const servers: CoordinatorServer[] = [];
  beforeAll(async () => {
    servers.push(...(await Promise.all([startForgetfulNode(), startForgetfulNode()])));
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
  });
  const of = (index: number) => nodeOptions(() => servers[index] as CoordinatorServer);
  testConformance(test.concurrent, { beside: of(0), alone: of(1) });
});
