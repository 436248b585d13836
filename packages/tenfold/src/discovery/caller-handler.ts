import type { AnswerHeaders, DispatchController, DispatchHandler } from "./dispatcher.ts";

/** Whoever made a request through an interceptor, whichever undici he has. */
export interface CallerHandler {
  started(controller: DispatchController): void;
  /** False: nothing of the body until he resumes. */
  head(status: number, headers: AnswerHeaders, statusText: string): boolean;
  /** False: no more until he resumes. */
  data(chunk: Buffer): boolean;
  end(): void;
  failed(error: Error): void;
}

/** Handlers up to undici 6, and those of the `fetch` built into Node 22 and 24. */
interface OlderHandler {
  onConnect?(abort: (reason?: Error) => void, context: object): void;
  onResponseStarted?(): void;
  onHeaders?(status: number, raw: Buffer[], resume: () => void, statusText: string): unknown;
  onData?(chunk: Buffer): unknown;
  onComplete?(trailers: Buffer[]): void;
  onError?(error: Error): void;
}

export function callerHandler(handler: object): CallerHandler {
  return "onRequestStart" in handler
    ? new NewerCaller(handler as DispatchHandler)
    : new OlderCaller(handler as OlderHandler);
}

class NewerCaller implements CallerHandler {
  readonly #handler: DispatchHandler;
  #controller: ToldController | undefined;

  constructor(handler: DispatchHandler) {
    this.#handler = handler;
  }

  started(controller: DispatchController): void {
    this.#controller = new ToldController(controller);
    this.#handler.onRequestStart(this.#controller, {});
  }

  head(status: number, headers: AnswerHeaders, statusText: string): boolean {
    const controller = this.#controller as ToldController;
    controller.rawHeaders = rawHeaders(headers);
    this.#handler.onResponseStart?.(controller, status, headers, statusText);
    return !controller.paused;
  }

  data(chunk: Buffer): boolean {
    const controller = this.#controller as ToldController;
    this.#handler.onResponseData?.(controller, chunk);
    return !controller.paused;
  }

  end(): void {
    this.#handler.onResponseEnd?.(this.#controller as ToldController, {});
  }

  failed(error: Error): void {
    this.#handler.onResponseError?.(this.#controller, error);
  }
}

/** The controller as undici's own handlers know it. */
class ToldController implements DispatchController {
  readonly #real: DispatchController;
  paused = false;
  aborted = false;
  reason: Error | null = null;
  rawHeaders: Buffer[] = [];
  rawTrailers: Buffer[] = [];

  constructor(real: DispatchController) {
    this.#real = real;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#real.resume();
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#real.abort(reason);
  }
}

class OlderCaller implements CallerHandler {
  readonly #handler: OlderHandler;
  #controller: DispatchController | undefined;

  constructor(handler: OlderHandler) {
    this.#handler = handler;
  }

  started(controller: DispatchController): void {
    this.#controller = controller;
    const abort = (reason = new Error("the request was aborted")): void => controller.abort(reason);
    this.#handler.onConnect?.(abort, {});
  }

  head(status: number, headers: AnswerHeaders, statusText: string): boolean {
    const resume = (): void => this.#controller?.resume();
    this.#handler.onResponseStarted?.();
    return this.#handler.onHeaders?.(status, rawHeaders(headers), resume, statusText) !== false;
  }

  data(chunk: Buffer): boolean {
    return this.#handler.onData?.(chunk) !== false;
  }

  end(): void {
    this.#handler.onComplete?.([]);
  }

  failed(error: Error): void {
    this.#handler.onError?.(error);
  }
}

/** Names and values in turn, as bytes. */
function rawHeaders(headers: AnswerHeaders): Buffer[] {
  return Object.entries(headers).flatMap(([name, value = []]) =>
    [value].flat().flatMap((each) => [Buffer.from(name), Buffer.from(each, "latin1")]),
  );
}
