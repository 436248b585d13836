import type { IncomingMessage } from "node:http";

import { TenfoldError } from "../runtime/errors.ts";

export interface JsonBodyOptions {
  readonly bodyBytesMax: number;
  readonly signal: AbortSignal;
}

/** Deeper JSON than any message of ours; keeps the check below from running out of stack. */
const depthMax = 64;

/**
 * A request's body as JSON: UTF-8, without `__proto__` keys, and its texts without control
 * characters other than tab and line ends.
 *
 * @throws TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED, TENFOLD_FLEET_BODY_TOO_LARGE,
 * TENFOLD_FLEET_REQUEST_INVALID
 */
export async function readJson(
  request: IncomingMessage,
  options: JsonBodyOptions,
): Promise<unknown> {
  const { headers } = request;
  checkContentType(headers["content-type"]);
  const coding = headers["content-encoding"];
  if (coding !== undefined && coding.toLowerCase() !== "identity") {
    throw contentType(`content-encoding ${JSON.stringify(coding)} is not taken; send it plain`);
  }
  const bytes = await readBytes(request, options);
  const value = parse(bytes);
  checkValue(value, 0);
  return value;
}

function checkContentType(header: string | undefined): void {
  const [type = "", ...parameters] = (header ?? "").toLowerCase().split(";");
  if (!/^application\/([\w.-]+\+)?json$/.test(type.trim())) {
    throw contentType(`expected application/json, got ${JSON.stringify(header ?? "none")}`);
  }
  for (const parameter of parameters) {
    const [name, value = ""] = parameter.trim().split("=");
    if (name === "charset" && !/^"?utf-?8"?$/.test(value)) {
      throw contentType(`JSON is UTF-8, not ${JSON.stringify(value)}`);
    }
  }
}

function readBytes(request: IncomingMessage, options: JsonBodyOptions): Promise<Buffer> {
  const { bodyBytesMax, signal } = options;
  if (Number(request.headers["content-length"]) > bodyBytesMax) {
    return Promise.reject(tooLarge(bodyBytesMax));
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (): void => {
      request.off("data", onData).off("end", onEnd).off("error", onError);
      signal.removeEventListener("abort", onAbort);
      // The rest is read and dropped, so that the answer reaches a caller that is still sending.
      request.resume();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= bodyBytesMax) return;
      end();
      reject(tooLarge(bodyBytesMax));
    };
    const onEnd = (): void => {
      end();
      resolve(Buffer.concat(chunks));
    };
    const onError = (error: Error): void => {
      end();
      reject(invalid(`the body broke off: ${error.message}`));
    };
    const onAbort = (): void => {
      end();
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    request.on("data", onData).on("end", onEnd).on("error", onError);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

function parse(bytes: Buffer): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid("the body is not UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw invalid(text === "" ? "the body is empty; JSON is expected" : "the body is not JSON");
  }
}

function checkValue(value: unknown, depth: number): void {
  if (typeof value === "string") checkText(value);
  if (typeof value !== "object" || value === null) return;
  if (depth === depthMax) throw invalid(`the body is nested deeper than ${depthMax} levels`);
  for (const [key, inner] of Object.entries(value)) {
    if (key === "__proto__") throw invalid('the body has a key "__proto__"');
    checkText(key);
    checkValue(inner, depth + 1);
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const controlCharacter = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;

function checkText(text: string): void {
  if (controlCharacter.test(text)) throw invalid("a text in the body has control characters");
  if (!text.isWellFormed()) throw invalid("a text in the body has half a surrogate pair");
}

function invalid(why: string): TenfoldError {
  return new TenfoldError("TENFOLD_FLEET_REQUEST_INVALID", `The request is not usable: ${why}.`);
}

function contentType(why: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED",
    `The body's type is not taken: ${why}.`,
  );
}

function tooLarge(bodyBytesMax: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_BODY_TOO_LARGE",
    `The body has more than ${bodyBytesMax} bytes.`,
    { details: { bodyBytesMax } },
  );
}
