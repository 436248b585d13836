import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";

import { claimPorts } from "./claim-ports.ts";

test("fleets that start at the same time are given ranges of their own", async () => {
  const claims = await Promise.all([claimPorts(0), claimPorts(0), claimPorts(0)]);
  for (const claim of claims) claim.release();
  expect(new Set(claims.map(({ from }) => from)).size).toBe(claims.length);
});

test("a range is passed over while one of its ports is in use, and not after that", async () => {
  const used = await claimPorts();
  const server = createServer().listen(used.from + 1, "127.0.0.1");
  await once(server, "listening");
  used.release();
  const index = (used.from - 20_000) / 1_000;
  const next = await claimPorts(index);
  next.release();
  expect(next.from).not.toBe(used.from);
  server.close();
  await once(server, "close");
});
