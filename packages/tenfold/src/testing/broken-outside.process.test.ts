import { afterAll, beforeAll, describe, test } from "vitest";

import { testBroken } from "./conformance-tests.fixture.ts";
import { nodeOptions, startForgetfulNode } from "./node-conformance.fixture.ts";
import type { CoordinatorServer } from "./server-process.fixture.ts";

/** Long enough for a session to end, no longer: a case that should fail has then failed. */
const patienceMs = 9_000;

describe("the suite fails a coordinator that", () => {
  const servers: CoordinatorServer[] = [];
  beforeAll(async () => {
    servers.push(...(await Promise.all([startForgetfulNode(), startForgetfulNode()])));
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
  });
  const options = (index: number, broken: string) =>
    nodeOptions(() => servers[index] as CoordinatorServer, { broken, patienceMs });
  testBroken(test.concurrent, (broken) => {
    return { beside: options(0, broken), alone: options(1, broken) };
  });
});
