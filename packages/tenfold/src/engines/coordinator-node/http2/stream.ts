/** What hears the other side of a stream. */
export interface StreamReceiver {
  data(chunk: Buffer): void;
  /** The client sends no more. */
  end(): void;
  /** The client reads again. */
  drained(): void;
  /** Called once, however the stream ends. */
  closed(): void;
}

/** What a stream needs of its connection. */
export interface StreamGround {
  readonly localAddress: string;
  readonly isCongested: boolean;
  respond(stream: ServerStream, block: Uint8Array): void;
  write(stream: ServerStream, parts: readonly Uint8Array[]): void;
  end(stream: ServerStream): void;
}

const unreadBytesMax = 1_048_576;

const nobody: StreamReceiver = { data() {}, end() {}, drained() {}, closed() {} };

/** One request and its answer, as the server sees it. */
export class ServerStream {
  readonly id: number;
  receiver: StreamReceiver = nobody;
  /** The client has sent all. */
  remoteEnded = false;
  /** The answer has left with its end. */
  isSent = false;
  isClosed = false;
  headSent = false;
  refusesRest = false;
  /** What the connection or the client has no room for yet. */
  readonly queue: Uint8Array[] = [];
  queuedBytes = 0;
  /** The last header block of the answer, when the answer is complete. */
  last: Uint8Array | undefined;
  sendWindow: number;
  /** Of what we let the client send, not given back yet. */
  used = 0;
  readonly #ground: StreamGround;

  constructor(ground: StreamGround, id: number, sendWindow: number) {
    this.#ground = ground;
    this.id = id;
    this.sendWindow = sendWindow;
  }

  get localAddress(): string {
    return this.#ground.localAddress;
  }

  /** So much waits to be read that no more should be made: of it alone, or of all together. */
  get congested(): boolean {
    return this.queuedBytes > unreadBytesMax || (this.queue.length > 0 && this.#ground.isCongested);
  }

  /** The header block of the answer; later ones are passed over. */
  respond(block: Uint8Array): void {
    if (this.headSent || this.#isOver) return;
    this.headSent = true;
    this.#ground.respond(this, block);
  }

  /** One piece, given in parts, which are copied. */
  write(parts: readonly Uint8Array[]): void {
    if (!this.#isOver) this.#ground.write(this, parts);
  }

  /** Ends the answer: with trailers, or with a header block alone when nothing was sent. */
  end(block: Uint8Array): void {
    if (this.#isOver) return;
    this.last = block;
    this.#ground.end(this);
  }

  /** Like `end`; what the client still sends is not read. */
  refuse(block: Uint8Array): void {
    this.refusesRest = true;
    this.end(block);
  }

  get #isOver(): boolean {
    return this.isClosed || this.last !== undefined;
  }
}
