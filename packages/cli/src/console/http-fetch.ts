import { errorText, TenfoldError } from "tenfold/runtime";

export interface FetchOptions {
  readonly token: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Sent as JSON by POST. */
  readonly json?: unknown;
}

const answerBytesMax = 4 * 1024 * 1024;

/**
 * The body of an admin surface's answer.
 * @throws TENFOLD_CONSOLE_SOURCE_FAILED when it does not answer in time, or not with a 2xx
 */
export async function fetchText(url: string, options: FetchOptions): Promise<string> {
  const { token, timeoutMs, signal, json } = options;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      headers,
      redirect: "error",
      signal: deadline,
      ...(json === undefined ? {} : { method: "POST", body: JSON.stringify(json) }),
    });
    text = await boundedText(response);
  } catch (error) {
    throw sourceFailed(url, reasonOf(error), true, error);
  }
  if (response.ok) return text;
  throw sourceFailed(url, `it answered ${response.status}: ${messageOf(text)}`, false);
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > answerBytesMax) throw new RangeError("the answer is over 4 MiB");
  }
  return text + decoder.decode();
}

/** The system's own words: fetch hides "connection refused" in the cause. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return "no answer in time";
  const { cause } = Object(error) as { cause?: { code?: unknown } };
  return typeof cause?.code === "string" ? cause.code : errorText(error);
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
