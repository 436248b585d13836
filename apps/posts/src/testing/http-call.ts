import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";

export interface HttpCall {
  readonly method?: string;
  /** Sent as they are, `host` and `origin` included. */
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The code of an error, or undefined. */
  readonly code: string | undefined;
  json<T>(): T;
}

const timeLimitMs = 60_000;

/** One request over a connection of its own, its path and headers as they are given. */
export function call(
  base: string,
  path: string,
  { method = "GET", headers = {}, body }: HttpCall = {},
): Promise<HttpAnswer> {
  const { hostname: host, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, text, code: codeOf(text), json: () => JSON.parse(text) });
      });
    });
    sent.setTimeout(timeLimitMs, () => sent.destroy(new Error(`no answer: ${method} ${path}`)));
    sent.on("error", reject);
    sent.end(body);
  });
}

/** The same with a JSON body. */
export function post(
  base: string,
  path: string,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): Promise<HttpAnswer> {
  const json = { "content-type": "application/json", ...headers };
  return call(base, path, { method: "POST", headers: json, body: JSON.stringify(body) });
}

function codeOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { error?: { code?: string } }).error?.code;
  } catch {
    return undefined;
  }
}
