import { frameBytesMax, initialWindowBytes } from "./frames.ts";
import type { FrameOutput } from "./output.ts";
import type { ServerStream } from "./stream.ts";

/** So much of one stream goes out before it is another's turn. */
const turnBytes = 65_536;
/** What a queued piece takes beside its bytes. */
const pieceOverheadBytes = 256;

/** Answers under flow control: at once while there is room, else in turn as it comes. */
export class Sender {
  /** The client allows smaller tables than before. We keep none, and must say so once. */
  mustShrinkTable = false;
  window = initialWindowBytes;
  /** Of all streams. */
  queuedBytes = 0;
  readonly #output: FrameOutput;
  readonly #onSent: (stream: ServerStream) => void;
  /** Those with something to send; the first has its turn. */
  readonly #waiting = new Set<ServerStream>();
  #isGoing = false;

  /** @param onSent an answer has left with its end */
  constructor(output: FrameOutput, onSent: (stream: ServerStream) => void) {
    this.#output = output;
    this.#onSent = onSent;
  }

  respond(stream: ServerStream, block: Uint8Array, isLast = false): void {
    // RFC 7541, 4.2 and 6.3: a table of no bytes.
    const whole = this.mustShrinkTable ? Buffer.concat([Uint8Array.of(0x20), block]) : block;
    this.mustShrinkTable = false;
    this.#output.headers(stream.id, whole, isLast);
  }

  write(stream: ServerStream, parts: readonly Uint8Array[]): void {
    let length = 0;
    for (const part of parts) length += part.length;
    const room = Math.min(this.window, stream.sendWindow, frameBytesMax);
    if (length <= room && stream.queue.length === 0 && !this.#output.isBlocked) {
      this.#output.data(stream.id, parts, length);
      this.#took(stream, length);
      return;
    }
    stream.queue.push(Buffer.concat(parts, length));
    stream.queuedBytes += length;
    this.queuedBytes += length + pieceOverheadBytes;
    this.#waiting.add(stream);
    this.goOn();
  }

  end(stream: ServerStream): void {
    if (stream.queue.length > 0) return;
    this.respond(stream, stream.last as Uint8Array, true);
    stream.isSent = true;
    this.#onSent(stream);
  }

  /** There may be room for a stream that had none. */
  widened(stream: ServerStream): void {
    if (stream.queue.length > 0) this.#waiting.add(stream);
  }

  forget(stream: ServerStream): void {
    this.#waiting.delete(stream);
    this.queuedBytes -= stream.queuedBytes + stream.queue.length * pieceOverheadBytes;
    stream.queuedBytes = 0;
    stream.queue.length = 0;
  }

  /** Sends what there is room for. */
  goOn(): void {
    // What a turn makes be written waits its own turn: nested, ten thousand watches would need a
    // deeper stack than there is.
    if (this.#isGoing) return;
    this.#isGoing = true;
    try {
      for (const stream of this.#waiting) {
        if (this.#output.isBlocked || this.window <= 0) return;
        this.#waiting.delete(stream);
        this.#sendTurn(stream);
        // A set is walked through in the order of adding: it comes again after the others.
        if (stream.queue.length > 0 && stream.sendWindow > 0) this.#waiting.add(stream);
      }
    } finally {
      this.#isGoing = false;
    }
  }

  #sendTurn(stream: ServerStream): void {
    const { queue } = stream;
    for (let left = turnBytes; queue.length > 0; ) {
      const first = queue[0] as Uint8Array;
      const room = Math.min(this.window, stream.sendWindow, frameBytesMax, left);
      if (room <= 0) return;
      const piece = first.subarray(0, room);
      this.#output.data(stream.id, [piece], piece.length);
      if (piece.length === first.length) {
        queue.shift();
        this.queuedBytes -= pieceOverheadBytes;
      }
      if (piece.length < first.length) queue[0] = first.subarray(piece.length);
      left -= piece.length;
      stream.queuedBytes -= piece.length;
      this.queuedBytes -= piece.length;
      this.#took(stream, piece.length);
    }
    if (stream.last !== undefined) this.end(stream);
    else stream.receiver.drained();
  }

  #took(stream: ServerStream, bytes: number): void {
    this.window -= bytes;
    stream.sendWindow -= bytes;
  }
}
