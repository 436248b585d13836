import type { Socket } from "node:net";

import {
  broken,
  ConnectionError,
  contentOf,
  errorCode,
  type Frame,
  FrameParser,
  frameFlag,
  frameType,
  initialWindowBytes,
  setting,
  tooWide,
  windowBytesMax,
} from "./frames.ts";
import { type HeaderDecoder, type Headers, headerDecoder, headerListBytesMax } from "./hpack.ts";
import { FrameOutput } from "./output.ts";
import { type ResetAllowance, resetAllowance } from "./reset-allowance.ts";
import { Sender } from "./sender.ts";
import { encodeSettings, readSettings } from "./settings.ts";
import { ServerStream, type StreamGround } from "./stream.ts";

export interface ConnectionOptions {
  readonly streamsMax: number;
  /** Monotonic. */
  readonly now: () => number;
  /** Sets the stream's receiver, or answers at once. */
  readonly onStream: (stream: ServerStream, headers: Headers) => void;
  /** Why a connection ended that its peer did not just leave. */
  readonly onError: (error: Error) => void;
  readonly onClose: () => void;
}

/** What a client may send of one request before it hears of us; and of all its requests. */
const streamWindowBytes = 262_144;
const connectionWindowBytes = 1_048_576;
/** What waits for a client that does not read: with more of it nothing new is begun. */
const queuedBytesMax = 67_108_864;
/** With more, streams that have something waiting get nothing more that could be left for later. */
const congestedBytes = 8_388_608;
/** Of one stream, with too much waiting already: the client asks, and does not read the answers. */
const queuedPiecesMax = 100;
/** For the last words to a client that was at fault. */
const lingerMs = 2_000;

/** The server's side of one HTTP/2 connection (RFC 9113). */
export class Connection implements StreamGround {
  readonly localAddress: string;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #output: FrameOutput;
  readonly #sender: Sender;
  readonly #parser = new FrameParser();
  readonly #decoder: HeaderDecoder = headerDecoder();
  readonly #resets: ResetAllowance;
  readonly #streams = new Map<number, ServerStream>();
  /** A header block that goes on in the next frame. */
  #partial: { readonly first: Frame; readonly parts: Buffer[]; bytes: number } | undefined;
  /** Of what we let the client send, not given back yet. */
  #used = 0;
  #peer = { initialWindow: initialWindowBytes, headerTable: 4_096 };
  #isGreeted = false;
  #lastId = 0;
  #isLeaving = false;
  #isClosed = false;
  #pingAnswered = true;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.localAddress = socket.localAddress ?? "";
    this.#resets = resetAllowance(options.streamsMax, options.now);
    this.#output = new FrameOutput(socket);
    this.#sender = new Sender(this.#output, (stream) => this.#endIfDone(stream));
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#drained());
    socket.on("error", options.onError);
    socket.once("close", () => this.#closed());
    this.#greet();
  }

  /** False when the last one was not answered: nobody is there. */
  ping(): boolean {
    if (!this.#pingAnswered) return false;
    this.#pingAnswered = false;
    this.#output.frame(frameType.ping, 0, 0, Buffer.alloc(8));
    return true;
  }

  /** What is asked from here on is refused, what was asked is answered. */
  leave(code: number = errorCode.none): void {
    this.#isLeaving = true;
    const content = Buffer.alloc(8);
    content.writeUInt32BE(this.#lastId);
    content.writeUInt32BE(code, 4);
    this.#output.frame(frameType.goAway, 0, 0, content);
  }

  destroy(): void {
    this.#output.flush();
    // Else each byte that still comes would put the end off.
    this.#socket.pause();
    this.#socket.setTimeout(lingerMs, () => this.#socket.destroy());
    this.#socket.destroySoon();
    this.#closed();
  }

  get isCongested(): boolean {
    return this.#sender.queuedBytes > congestedBytes;
  }

  respond(stream: ServerStream, block: Uint8Array): void {
    this.#sender.respond(stream, block);
  }

  write(stream: ServerStream, parts: readonly Uint8Array[]): void {
    this.#sender.write(stream, parts);
  }

  end(stream: ServerStream): void {
    this.#sender.end(stream);
  }

  #greet(): void {
    const content = encodeSettings([
      [setting.maxConcurrentStreams, this.#options.streamsMax],
      [setting.initialWindowSize, streamWindowBytes],
      [setting.maxHeaderListSize, headerListBytesMax],
    ]);
    this.#output.frame(frameType.settings, 0, 0, content);
    const more = connectionWindowBytes - initialWindowBytes;
    this.#output.number(frameType.windowUpdate, 0, more);
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#parser.push(chunk, (frame) => {
        this.#take(frame);
        return !this.#isClosed;
      });
    } catch (error) {
      this.#fail(error as Error);
    }
    // Who does not read is hardly read either: so nothing can pile up for it.
    if (this.#output.isBlocked) this.#socket.pause();
  }

  #fail(error: Error): void {
    this.#options.onError(error);
    this.leave(error instanceof ConnectionError ? error.code : errorCode.internal);
    this.destroy();
  }

  #take(frame: Frame): void {
    const { type, streamId, payload } = frame;
    if (this.#partial !== undefined && type !== frameType.continuation) {
      throw broken("headers were interrupted");
    }
    if (!this.#isGreeted && type !== frameType.settings) throw broken("no settings came first");
    // Others, unknown ones too, change nothing for us.
    switch (type) {
      case frameType.data:
        this.#takeData(frame);
        break;
      case frameType.headers:
        this.#takeHeaders(frame);
        break;
      case frameType.continuation:
        this.#takeContinuation(frame);
        break;
      case frameType.settings:
        this.#takeSettings(frame);
        break;
      case frameType.windowUpdate:
        this.#takeWindow(streamId, payload);
        break;
      case frameType.reset:
        this.#takeReset(streamId, payload);
        break;
      case frameType.ping:
        this.#takePing(frame);
        break;
      case frameType.pushPromise:
        throw broken("a client pushes");
    }
  }

  #takePing({ streamId, flags, payload }: Frame): void {
    mustHave(payload, 8, streamId === 0);
    if ((flags & frameFlag.acknowledge) !== 0) this.#pingAnswered = true;
    else this.#output.frame(frameType.ping, frameFlag.acknowledge, 0, payload);
  }

  #takeData(frame: Frame): void {
    const { streamId, payload, flags } = frame;
    if (streamId === 0 || streamId > this.#lastId) throw broken("data of no stream");
    // What came is used at once, so it is given back at once; what is too large is refused above.
    this.#used += payload.length;
    if (this.#used >= connectionWindowBytes / 2) {
      this.#output.number(frameType.windowUpdate, 0, this.#used);
      this.#used = 0;
    }
    const content = contentOf(frame);
    const stream = this.#streams.get(streamId);
    // It may have been sent before our reset was heard.
    if (stream === undefined) return;
    const isLast = (flags & frameFlag.endStream) !== 0;
    if (stream.remoteEnded) {
      this.#refuse(streamId, errorCode.streamClosed);
      return;
    }
    stream.used += payload.length;
    if (!isLast && stream.used >= streamWindowBytes / 2) {
      this.#output.number(frameType.windowUpdate, streamId, stream.used);
      stream.used = 0;
    }
    if (stream.queue.length > queuedPiecesMax && this.#sender.queuedBytes > queuedBytesMax) {
      this.#refuse(streamId, errorCode.enhanceYourCalm);
      return;
    }
    if (content.length > 0 && !stream.refusesRest) stream.receiver.data(content);
    if (isLast) this.#remoteEnded(stream);
  }

  #takeHeaders(frame: Frame): void {
    const content = contentOf(frame);
    if (frame.streamId === 0) throw broken("headers of no stream");
    this.#partial = { first: frame, parts: [content], bytes: content.length };
    if ((frame.flags & frameFlag.endHeaders) !== 0) this.#headersEnded();
  }

  #takeContinuation({ streamId, flags, payload }: Frame): void {
    const partial = this.#partial;
    if (partial === undefined || partial.first.streamId !== streamId) {
      throw broken("a continuation of nothing");
    }
    partial.parts.push(payload);
    // Empty frames count too.
    partial.bytes += payload.length + 64;
    if (partial.bytes > headerListBytesMax) {
      throw new ConnectionError(errorCode.enhanceYourCalm, "headers without an end");
    }
    if ((flags & frameFlag.endHeaders) !== 0) this.#headersEnded();
  }

  #headersEnded(): void {
    const { first, parts } = this.#partial as { first: Frame; parts: Buffer[] };
    this.#partial = undefined;
    const { streamId } = first;
    const isLast = (first.flags & frameFlag.endStream) !== 0;
    const [only] = parts;
    const block = parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
    // Read in any case: the blocks after it build upon it.
    const headers = this.#decoder.decode(block);
    const known = this.#streams.get(streamId);
    if (known !== undefined) {
      if (known.remoteEnded || !isLast) this.#refuse(streamId, errorCode.streamClosed);
      else this.#remoteEnded(known);
      return;
    }
    if (streamId % 2 === 0) throw broken("a stream with a number of ours");
    // It may have been sent before our reset was heard.
    if (streamId <= this.#lastId) return;
    this.#lastId = streamId;
    const isFull =
      this.#streams.size >= this.#options.streamsMax || this.#sender.queuedBytes > queuedBytesMax;
    if (this.#isLeaving || isFull) {
      this.#refuse(streamId, errorCode.refusedStream);
      return;
    }
    const isMalformed = headers?.[":method"] === undefined || headers[":path"] === undefined;
    if (isMalformed) {
      this.#refuse(streamId, errorCode.protocol);
      return;
    }
    const stream = new ServerStream(this, streamId, this.#peer.initialWindow);
    this.#streams.set(streamId, stream);
    this.#options.onStream(stream, headers);
    if (isLast) this.#remoteEnded(stream);
  }

  #takeSettings({ streamId, flags, payload }: Frame): void {
    if (streamId !== 0) throw broken("settings of a stream");
    this.#isGreeted = true;
    if ((flags & frameFlag.acknowledge) !== 0) {
      mustHave(payload, 0, true);
      return;
    }
    const before = this.#peer;
    this.#peer = readSettings(payload, before);
    if (this.#peer.headerTable < before.headerTable) this.#sender.mustShrinkTable = true;
    const more = this.#peer.initialWindow - before.initialWindow;
    if (more !== 0) {
      for (const stream of this.#streams.values()) this.#widen(stream, more);
    }
    this.#output.frame(frameType.settings, frameFlag.acknowledge, 0, Buffer.alloc(0));
    this.#sender.goOn();
  }

  #takeWindow(streamId: number, payload: Buffer): void {
    mustHave(payload, 4, streamId <= this.#lastId);
    const more = payload.readUInt32BE() & windowBytesMax;
    if (streamId === 0) {
      if (more === 0) throw broken("a window that grows by nothing");
      this.#sender.window += more;
      if (this.#sender.window > windowBytesMax) throw tooWide();
    } else {
      const stream = this.#streams.get(streamId);
      if (stream === undefined) return;
      if (more === 0) {
        this.#refuse(streamId, errorCode.protocol);
        return;
      }
      if (stream.sendWindow + more > windowBytesMax) {
        this.#refuse(streamId, errorCode.flowControl);
        return;
      }
      this.#widen(stream, more);
    }
    this.#sender.goOn();
  }

  #widen(stream: ServerStream, more: number): void {
    stream.sendWindow += more;
    if (stream.sendWindow > windowBytesMax) throw tooWide();
    this.#sender.widened(stream);
  }

  #takeReset(streamId: number, payload: Buffer): void {
    mustHave(payload, 4, streamId !== 0 && streamId <= this.#lastId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    this.#countReset();
    this.#forget(stream);
  }

  /** Work that is asked for and given up again costs us, not the client. */
  #countReset(): void {
    if (!this.#resets.take()) {
      throw new ConnectionError(errorCode.enhanceYourCalm, "too many streams were reset");
    }
  }

  /** The client is at fault: that counts as if it had reset the stream itself. */
  #refuse(streamId: number, code: number): void {
    this.#countReset();
    this.#reset(streamId, code);
  }

  #reset(streamId: number, code: number): void {
    this.#output.number(frameType.reset, streamId, code);
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#forget(stream);
  }

  #remoteEnded(stream: ServerStream): void {
    stream.remoteEnded = true;
    if (stream.isClosed) return;
    stream.receiver.end();
    this.#endIfDone(stream);
  }

  #endIfDone(stream: ServerStream): void {
    if (!stream.isSent) return;
    if (stream.remoteEnded) this.#forget(stream);
    else if (stream.refusesRest) this.#reset(stream.id, errorCode.none);
  }

  #forget(stream: ServerStream): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    this.#streams.delete(stream.id);
    this.#sender.forget(stream);
    stream.receiver.closed();
  }

  #drained(): void {
    this.#output.drained();
    this.#socket.resume();
    this.#sender.goOn();
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const stream of [...this.#streams.values()]) this.#forget(stream);
    this.#options.onClose();
  }
}

function mustHave(payload: Buffer, bytes: number, isInPlace: boolean): void {
  if (!isInPlace) throw broken("a frame on a stream where it has no place");
  if (payload.length !== bytes) {
    throw new ConnectionError(errorCode.frameSize, `a frame of ${payload.length} bytes`);
  }
}
