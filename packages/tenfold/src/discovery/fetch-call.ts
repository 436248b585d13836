import type { CallContext } from "../resilience/call-layer.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import { abortError, errorReason, TenfoldError } from "../runtime/errors.ts";
import type { CallCore } from "./call-core.ts";
import type { AttemptRequest } from "./endpoint-call.ts";
import {
  callOptions,
  checkedKey,
  isIdempotent,
  requestHeaders,
  requestTargetOf,
  type SentBody,
  withChain,
} from "./request-parts.ts";
import { RequestStream } from "./request-stream.ts";
import type { ServiceCall } from "./service-client.ts";
import type { ServiceClientLimits } from "./service-client-options.ts";
import { type BodyReader, StreamedAnswer } from "./streamed-answer.ts";
import { Trip } from "./trip.ts";

/** What the web's `fetch` takes, as far as a call of a service needs it, and a call's options. */
export interface FetchInit
  extends Pick<
    ServiceCall,
    "deadlineMs" | "tryTimeoutMs" | "idempotent" | "incoming" | "key" | "signal"
  > {
  readonly method?: string;
  readonly headers?: RequestInit["headers"];
  readonly body?: RequestInit["body"] | AsyncIterable<Uint8Array | string>;
}

/** A call whose answer is handed on at its head, as `ServiceClient.fetch` says. */
export async function fetchCall(
  core: CallCore,
  limits: Pick<ServiceClientLimits, "bodyIdleMs">,
  path: string,
  init: FetchInit = {},
): Promise<Response> {
  const method = (init.method ?? "GET").toUpperCase();
  const headers = Object.fromEntries(new Headers(init.headers));
  const body = await readBody(init.body);
  const stream = body instanceof RequestStream ? body : undefined;
  const bytes = body instanceof RequestStream ? undefined : body;
  const sent = requestHeaders(headers, bytes);
  const target = requestTargetOf(path);
  const idempotent =
    stream === undefined && isIdempotent({ method, headers, idempotent: init.idempotent });
  const trip = new Trip(idempotent, { canSend: stream?.canSend, key: checkedKey(init.key) });
  const { signal } = init;
  const run = (context: CallContext): Promise<StreamedAnswer> =>
    new Promise((resolve, reject) => {
      const place = context.keepPlace();
      const onAbort = (): void => answer.giveUp(abortError(signal as AbortSignal), "cancelled");
      const over = (): void => {
        place();
        signal?.removeEventListener("abort", onAbort);
      };
      const answer = new StreamedAnswer(core, trip, over, { resolve, reject });
      signal?.addEventListener("abort", onAbort, { once: true });
      const request: AttemptRequest = {
        method,
        path: target,
        headers: withChain(sent, context),
        body: stream?.parts() ?? bytes?.bytes ?? null,
        bodyTimeout: limits.bodyIdleMs,
      };
      answer.start(request);
    });
  try {
    const answer = await core.policy.run(run, callOptions(init, idempotent, trip));
    return responseOf(answer, method, { clock: core.runtime.clock, idleMs: limits.bodyIdleMs });
  } catch (error) {
    trip.underWay?.discard();
    core.metrics.failed(error);
    throw error;
  } finally {
    trip.end();
  }
}

async function readBody(body: FetchInit["body"]): Promise<SentBody | RequestStream | undefined> {
  if (body === undefined || body === null) return undefined;
  const isStream = typeof body === "object" && Symbol.asyncIterator in body;
  if (isStream) return new RequestStream(body as AsyncIterable<unknown>);
  const whole = new Response(body as Exclude<RequestInit["body"], undefined>);
  const contentType = whole.headers.get("content-type") ?? undefined;
  return { bytes: new Uint8Array(await whole.arrayBuffer()), contentType };
}

/** Statuses whose answers have no body, which `Response` insists on. */
const withoutBody: ReadonlySet<number> = new Set([204, 205, 304]);

/** A body that waits for its reader. */
interface Patience {
  readonly clock: Pick<Clock, "setTimer">;
  /** The longest wait. */
  readonly idleMs: number;
}

function responseOf(answer: StreamedAnswer, method: string, patience: Patience): Response {
  const { status, headers, endpoint } = answer;
  const hasBody = method !== "HEAD" && !withoutBody.has(status);
  try {
    const list = Object.entries(headers).flatMap(([name, value = []]) =>
      [value].flat().map((each): [string, string] => [name, each]),
    );
    const init = { status, headers: list };
    if (hasBody) return new Response(bodyOf(answer, patience), init);
    // Nothing follows their heads, so reading on costs nothing and keeps the connection; but a 304
    // may tell a length, and older versions of undici then wait for what does not come.
    const isEmpty = status === 204 || (status === 304 && !Number(headers["content-length"] ?? 0));
    if (isEmpty) answer.read(nobody);
    else if (status === 304) answer.giveUp(new Error("nothing follows a 304"), "cancelled");
    else answer.discard();
    return new Response(null, init);
  } catch (cause) {
    answer.giveUp(cause as Error, "cancelled");
    throw new TenfoldError(
      "TENFOLD_DISCOVERY_RESPONSE_INVALID",
      `${endpoint.id} answered what no Response can be: ${errorReason(cause)}`,
      { cause, details: { endpoint: endpoint.id, status } },
    );
  }
}

const nobody: BodyReader = { data: () => true, end() {}, failed() {} };

function bodyOf(answer: StreamedAnswer, { clock, idleMs }: Patience): ReadableStream<Uint8Array> {
  let begun = false;
  let unread: Timer | undefined;
  const isRead = (): void => {
    unread?.cancel();
    unread = undefined;
  };
  // While it is held back no time-out of the connection runs, and it holds its place.
  const forget = (): void => {
    const message = `The answer was not read for ${idleMs} ms.`;
    answer.giveUp(new TenfoldError("TENFOLD_DISCOVERY_CALL_FAILED", message), "cancelled");
  };
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        isRead();
        if (begun) return answer.resume();
        begun = true;
        answer.read({
          data(chunk) {
            controller.enqueue(new Uint8Array(chunk));
            const hasRoom = (controller.desiredSize ?? 0) > 0;
            if (!hasRoom) unread ??= clock.setTimer(idleMs, forget, { keepAlive: false });
            return hasRoom;
          },
          end() {
            isRead();
            controller.close();
          },
          failed(error) {
            isRead();
            controller.error(error);
          },
        });
      },
      cancel() {
        isRead();
        answer.giveUp(new Error("its reader cancelled it"), "cancelled");
      },
    },
    { highWaterMark: 64 * 1024, size: (chunk) => chunk?.byteLength ?? 1 },
  );
}
