import { once } from "node:events";
import type { Duplex } from "node:stream";
import { expect, test } from "vitest";

import { virtualClock } from "./virtual-clock.ts";
import { virtualNetwork } from "./virtual-network.ts";

const at = { host: "10.0.0.1", port: 80 };

async function connected() {
  const clock = virtualClock();
  const network = virtualNetwork({ clock, latencyMs: 10 });
  const accepted: Duplex[] = [];
  await network.listen(at, (connection) => {
    connection.on("error", () => {});
    accepted.push(connection);
  });
  const connecting = network.connect(at);
  await clock.advance(20);
  return { clock, network, near: await connecting, far: accepted[0] as Duplex };
}

test("bytes travel for the latency, in order", async () => {
  const { clock, near, far } = await connected();
  const got: string[] = [];
  far.on("data", (chunk: Buffer) => void got.push(`${chunk}@${clock.now()}`));
  near.write("a");
  await clock.advance(5);
  near.write("b");
  await clock.advance(20);
  expect(got).toEqual(["a@30", "b@35"]);
  near.end();
  await clock.advance(10);
  expect(far.readableEnded).toBe(true);
});

test("a cut breaks both ends; refused addresses refuse", async () => {
  const { clock, network, near } = await connected();
  const broken = once(near, "error");
  network.cut(at);
  expect((await broken)[0]).toMatchObject({ code: "ECONNRESET" });
  network.refuse(at);
  const refused = expect(network.connect(at)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await clock.advance(20);
  await refused;
  network.allow(at);
  const again = network.connect(at);
  await clock.advance(20);
  expect((await again).destroyed).toBe(false);
});
