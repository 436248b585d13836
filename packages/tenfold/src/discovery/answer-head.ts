import type { AnswerHeaders } from "./dispatcher.ts";

/** The head of an answer; its headers are made when they are first read. */
export class AnswerHead {
  readonly status: number;
  readonly statusText: string;
  #raw: readonly Buffer[] | undefined;
  #headers: AnswerHeaders | undefined;

  /** @param headers as newer versions of undici give them, or bytes of names and values in turn */
  constructor(
    status: number,
    headers: AnswerHeaders | readonly Buffer[],
    statusText: string | undefined,
  ) {
    this.status = status;
    this.statusText = statusText ?? "";
    if (Array.isArray(headers)) this.#raw = headers;
    else this.#headers = headers as AnswerHeaders;
  }

  get headers(): AnswerHeaders {
    this.#headers ??= headersOf(this.#raw ?? []);
    this.#raw = undefined;
    return this.#headers;
  }
}

function headersOf(raw: readonly Buffer[]): AnswerHeaders {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = text(raw[i]).toLowerCase();
    const value = text(raw[i + 1]);
    const known = Object.hasOwn(headers, name) ? headers[name] : undefined;
    if (known === undefined) headers[name] = value;
    else headers[name] = Array.isArray(known) ? [...known, value] : [known, value];
  }
  return headers;
}

function text(bytes: Buffer | undefined): string {
  return bytes?.toString("latin1") ?? "";
}
