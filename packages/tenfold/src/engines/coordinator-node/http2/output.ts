import type { Socket } from "node:net";

import { frameFlag, frameHeadBytes, frameType } from "./frames.ts";

const slabBytes = 16_384 + frameHeadBytes;
/** A remainder smaller than this is not worth keeping. */
const leftBytesMin = 1_024;
/** Written without waiting for the end of the turn. */
const flushBytes = 262_144;
/** With more than this unread by the peer, no more is made for it. */
const unreadBytesMax = 1_048_576;

/** Frames of one connection; those of one turn of the event loop are written together. */
export class FrameOutput {
  readonly #socket: Socket;
  #slab: Buffer = Buffer.alloc(0);
  #start = 0;
  #at = 0;
  #full: Buffer[] = [];
  #fullBytes = 0;
  #isScheduled = false;
  #isBlocked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** The peer does not read; the socket's `drain` says when it has. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  drained(): void {
    this.#isBlocked = false;
  }

  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    this.#head(payload.length, type, flags, streamId);
    this.#put(payload);
  }

  /** One DATA frame of several parts. */
  data(streamId: number, parts: readonly Uint8Array[], length: number): void {
    this.#head(length, frameType.data, 0, streamId);
    for (const part of parts) this.#put(part);
  }

  headers(streamId: number, block: Uint8Array, isLast: boolean): void {
    const flags = frameFlag.endHeaders | (isLast ? frameFlag.endStream : 0);
    this.frame(frameType.headers, flags, streamId, block);
  }

  /** A frame of one number: a reset's code, a window's bytes. */
  number(type: number, streamId: number, value: number): void {
    this.#head(4, type, 0, streamId);
    this.#at = this.#slab.writeUInt32BE(value, this.#at);
  }

  /** Writes what is there. */
  flush(): void {
    this.#isScheduled = false;
    const last = this.#slab.subarray(this.#start, this.#at);
    this.#start = this.#at;
    if (this.#slab.length - this.#at < leftBytesMin) this.#newSlab(0);
    const full = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    if (full.length > 0) this.#socket.cork();
    for (const slab of full) this.#socket.write(slab);
    if (last.length > 0) this.#socket.write(last);
    if (full.length > 0) this.#socket.uncork();
    this.#isBlocked ||= this.#socket.writableLength > unreadBytesMax;
  }

  #head(length: number, type: number, flags: number, streamId: number): void {
    this.#reserve(frameHeadBytes + length);
    const slab = this.#slab;
    let at = this.#at;
    slab[at++] = length >> 16;
    slab[at++] = length >> 8;
    slab[at++] = length;
    slab[at++] = type;
    slab[at++] = flags;
    slab[at++] = streamId >> 24;
    slab[at++] = streamId >> 16;
    slab[at++] = streamId >> 8;
    slab[at++] = streamId;
    this.#at = at;
  }

  #put(bytes: Uint8Array): void {
    this.#slab.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #reserve(bytes: number): void {
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      process.nextTick(() => this.flush());
    }
    if (this.#slab.length - this.#at >= bytes) return;
    const done = this.#slab.subarray(this.#start, this.#at);
    if (done.length > 0) this.#full.push(done);
    this.#fullBytes += done.length;
    this.#newSlab(slabBytes);
    if (this.#fullBytes > flushBytes) this.flush();
  }

  #newSlab(bytes: number): void {
    this.#slab = Buffer.allocUnsafeSlow(bytes);
    this.#start = 0;
    this.#at = 0;
  }
}
