import { Agent, type IncomingMessage, request } from "node:http";
import { errorText, TenfoldError } from "tenfold/runtime";

export interface FetchOptions {
  readonly token: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Sent as JSON by POST. */
  readonly json?: unknown;
}

const answerBytesMax = 4 * 1024 * 1024;
/** One scrape a second: a connection is used again long before a server closes it. */
const agent = new Agent({ keepAlive: true, maxFreeSockets: 64 });

/**
 * The body of an admin surface's answer.
 * @throws TENFOLD_CONSOLE_SOURCE_FAILED when it does not answer in time, or not with a 2xx
 */
export async function fetchText(url: string, options: FetchOptions): Promise<string> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  let answer: { readonly status: number; readonly text: string };
  try {
    answer = await ask(url, options, signal);
  } catch (error) {
    const reason = deadline.aborted ? "no answer in time" : errorText(error);
    throw sourceFailed(url, reason, true, error);
  }
  const { status, text } = answer;
  if (status >= 200 && status < 300) return text;
  throw sourceFailed(url, `it answered ${status}: ${messageOf(text)}`, false);
}

function ask(
  url: string,
  { token, json }: FetchOptions,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const headers = {
    authorization: `Bearer ${token}`,
    ...(body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
  };
  const method = body === undefined ? "GET" : "POST";
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method, headers, signal }, (response) => {
      const status = response.statusCode ?? 0;
      readText(response).then((text) => resolve({ status, text }), reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response as AsyncIterable<string>) {
    text += chunk;
    if (text.length > answerBytesMax) throw new RangeError("the answer is over 4 MiB");
  }
  return text;
}

function messageOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } };
    if (typeof error?.message === "string") return error.message;
  } catch {
    // Not ours: the first line says as much as we can tell.
  }
  return text.slice(0, 200);
}

function sourceFailed(
  url: string,
  reason: string,
  retryable: boolean,
  cause?: unknown,
): TenfoldError {
  const { host, pathname } = new URL(url);
  return new TenfoldError("TENFOLD_CONSOLE_SOURCE_FAILED", `${host}${pathname}: ${reason}`, {
    retryable,
    cause,
  });
}
