import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";

import { claimPorts } from "./claim-ports.ts";

test("who has not begun to listen keeps its range from those who start after it", async () => {
  const claims = [await claimPorts(0), await claimPorts(0), await claimPorts(0)];
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
