import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { expect, test } from "vitest";

import { FrameOutput } from "./output.ts";
import { Sender } from "./sender.ts";
import { ServerStream } from "./stream.ts";

test("what streams write when they are heard out waits its turn, however many there are", () => {
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const sender = new Sender(new FrameOutput(socket as unknown as Socket), () => {});
  const ground = {
    localAddress: "",
    isCongested: false,
    respond() {},
    write: (stream: ServerStream, parts: readonly Uint8Array[]) => sender.write(stream, parts),
    end() {},
  };
  const content = [Buffer.alloc(20_000)];
  let [depth, deepest, heard] = [0, 0, 0];
  const streams = Array.from({ length: 2_000 }, (_, index) => {
    const stream = new ServerStream(ground, 2 * index + 1, 2 ** 30);
    let isFirst = true;
    stream.receiver = {
      data() {},
      end() {},
      closed() {},
      drained() {
        heard++;
        deepest = Math.max(deepest, ++depth);
        if (isFirst) stream.write(content);
        isFirst = false;
        depth--;
      },
    };
    return stream;
  });
  sender.window = 0;
  for (const stream of streams) stream.write(content);
  expect(sender.queuedBytes).toBe(2_000 * (20_000 + 256));
  sender.window = 2 ** 30;
  sender.goOn();
  expect(heard).toBeGreaterThanOrEqual(2_000);
  expect(deepest).toBeLessThan(10);
  expect(sender.queuedBytes).toBe(0);
});
