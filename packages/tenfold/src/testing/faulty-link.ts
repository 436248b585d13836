import type { Duplex } from "node:stream";

import type { Clock, Timer } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";

/** How bytes fare on the way. */
export interface Faults {
  /** Added to every chunk's way, in milliseconds. */
  readonly delayMs: number;
  /** Up to so much more, drawn for each chunk; order stays. */
  readonly jitterMs: number;
  /** Each direction of each connection; infinite by default. */
  readonly bytesPerSecondMax: number;
}

export interface FaultyLinkParts {
  readonly from: Duplex;
  readonly to: Duplex;
  readonly faults: () => Faults;
  /** True while nothing gets through. */
  readonly isSilent: () => boolean;
  /** How many of `bytes` may still pass; fewer than asked ends the connection after them. */
  readonly allow: (bytes: number) => number;
  readonly cut: () => void;
  readonly clock: Clock;
  readonly random: Random;
}

export interface FaultyLink {
  /** Passes on what is due: call when the faults have changed. */
  pump(): void;
}

/** What may wait inside one direction; then the sender is no longer read, as with a full window. */
const waitingBytesMax = 1_048_576;

/** One direction of one connection. */
export function faultyLink(parts: FaultyLinkParts): FaultyLink {
  const { from, to, clock, random } = parts;
  /** An undefined chunk is the end of the stream. */
  const waiting: { readonly due: number; readonly chunk: Buffer | undefined }[] = [];
  let waitingBytes = 0;
  let lastDue = 0;
  let wireFreeAt = 0;
  let timer: Timer | undefined;

  const take = (chunk: Buffer | undefined): void => {
    const { delayMs, jitterMs, bytesPerSecondMax } = parts.faults();
    const size = chunk?.length ?? 0;
    wireFreeAt = Math.max(clock.now(), wireFreeAt) + (size / bytesPerSecondMax) * 1_000;
    lastDue = Math.max(lastDue, wireFreeAt + delayMs + random.next() * jitterMs);
    waiting.push({ due: lastDue, chunk });
    waitingBytes += size;
    if (waitingBytes > waitingBytesMax) from.pause();
    pump();
  };
  const pass = (chunk: Buffer | undefined): void => {
    if (chunk === undefined) {
      to.end();
      return;
    }
    waitingBytes -= chunk.length;
    if (waitingBytes <= waitingBytesMax && from.isPaused()) from.resume();
    const allowed = parts.allow(chunk.length);
    if (allowed === chunk.length) to.write(chunk);
    else to.write(chunk.subarray(0, allowed), parts.cut);
  };
  const pump = (): void => {
    timer?.cancel();
    timer = undefined;
    while (waiting[0] !== undefined && !parts.isSilent() && !to.destroyed) {
      const leftMs = waiting[0].due - clock.now();
      if (leftMs > 0) {
        timer = clock.setTimer(leftMs, pump, { keepAlive: false });
        return;
      }
      pass(waiting.shift()?.chunk);
    }
  };
  from.on("data", take);
  from.once("end", () => take(undefined));
  return { pump };
}
