import type { ServerResponse } from "node:http";

import type { StreamedAnswer } from "../discovery/streamed-answer.ts";
import type { Clock } from "../runtime/clock.ts";
import { responseHeadersFor } from "./forwarded-headers.ts";
import { endWhenRead } from "./own-answer.ts";

export interface RelayOptions {
  readonly clock: Pick<Clock, "setTimer">;
  /** An answer of which nothing moves for so long is cut. */
  readonly idleMs: number;
  /** Asked when the answer begins. */
  readonly ownHeaders: () => Readonly<Record<string, string>>;
}

/**
 * whole: passed on to its end. cut: the service broke off, and so was the client's connection,
 * since a shortened answer must not look like a whole one. gone: the client left.
 */
export type Relayed = "whole" | "cut" | "gone";

/** Passes an answer on to the client as it comes, no faster than the client reads. */
export function relay(
  from: StreamedAnswer,
  to: ServerResponse,
  options: RelayOptions,
): Promise<Relayed> {
  if (to.destroyed) {
    from.giveUp(new Error("the client is gone"), "cancelled");
    return Promise.resolve("gone");
  }
  to.writeHead(from.status, responseHeadersFor(from.headers, options.ownHeaders()));
  return new Promise((resolve) => {
    let moved = 0;
    const settle = (result: Relayed): void => {
      timer.cancel();
      resolve(result);
      if (result === "whole") return;
      from.giveUp(
        new Error("the answer was not passed on whole"),
        result === "cut" ? "failure" : "cancelled",
      );
      reset(to);
    };
    const watchIdle = (last: number) => (): void => {
      const now = moved + (to.socket?.bytesWritten ?? 0);
      // With room to write it is the service that stands still, else the client.
      if (now === last) settle(to.writableNeedDrain ? "gone" : "cut");
      else timer = options.clock.setTimer(options.idleMs, watchIdle(now));
    };
    let timer = options.clock.setTimer(options.idleMs, watchIdle(-1));
    to.on("drain", () => from.resume());
    to.on("error", () => settle("gone"));
    to.on("close", () => settle(to.writableFinished ? "whole" : "gone"));
    from.read({
      data(chunk) {
        moved += chunk.length;
        return to.write(chunk);
      },
      end() {
        moved++;
        endWhenRead(to, options.clock);
      },
      failed: () => settle("cut"),
    });
  });
}

/** RST and not FIN: to an HTTP/1.0 client a FIN is the proper end of an answer. */
function reset(to: ServerResponse): void {
  if (to.socket === null) to.destroy();
  else to.socket.resetAndDestroy();
}
