import type { AnswerHeaders, DispatchController } from "./dispatcher.ts";

/** The controller of a request in undici 6, which is built into Node 22 and hands out functions. */
export class OlderController implements DispatchController {
  readonly #abort: (reason: Error) => void;
  #resume: (() => void) | undefined;
  paused = false;

  constructor(abort: (reason: Error) => void) {
    this.#abort = abort;
  }

  resumesBy(resume: () => void): void {
    this.#resume = resume;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#resume?.();
  }

  abort(reason: Error): void {
    this.#abort(reason);
  }
}

/** Headers as newer versions give them, from the bytes of names and values in turn. */
export function headersOf(raw: readonly Uint8Array[]): AnswerHeaders {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = text(raw[i]).toLowerCase();
    const value = text(raw[i + 1]);
    const known = headers[name];
    if (known === undefined) headers[name] = value;
    else headers[name] = Array.isArray(known) ? [...known, value] : [known, value];
  }
  return headers;
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString("latin1");
}
