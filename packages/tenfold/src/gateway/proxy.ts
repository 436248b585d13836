import type { ServerResponse } from "node:http";

import type { CallCore } from "../discovery/call-core.ts";
import { withChain } from "../discovery/request-parts.ts";
import { RequestStream } from "../discovery/request-stream.ts";
import { StreamedAnswer } from "../discovery/streamed-answer.ts";
import { Trip } from "../discovery/trip.ts";
import type { CallContext } from "../resilience/call-layer.ts";
import { deadlineMsMax } from "../resilience/deadline.ts";
import { headerOf } from "./forwarded-headers.ts";
import type { GatewayLimits } from "./gateway-limits.ts";
import { type Relayed, relay } from "./relay.ts";

/** A request that was checked, and its answer that was not begun. */
export interface ProxyRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: Uint8Array | RequestStream;
  readonly deadlineMs: number;
  /** Fires when the client goes away, or its body turns out too large. */
  readonly signal: AbortSignal;
  readonly response: ServerResponse;
  /** What the gateway adds to the answer; asked when it begins. */
  ownHeaders(): Readonly<Record<string, string>>;
}

/**
 * Sends the request to an instance, again where that is safe, and passes the answer on.
 *
 * @throws what a policy throws, TENFOLD_DISCOVERY_NO_ENDPOINT, TENFOLD_DISCOVERY_CALL_FAILED and
 *   TENFOLD_DISCOVERY_HOLD_FULL; the answer is not begun then.
 */
export async function proxy(
  core: CallCore,
  limits: GatewayLimits,
  request: ProxyRequest,
): Promise<Relayed> {
  const { method, target, body, deadlineMs, signal } = request;
  const stream = body instanceof RequestStream ? body : undefined;
  const idempotent = mayRepeat(request);
  const kept = stream === undefined ? (body as Uint8Array).length : limits.bufferBytes;
  const trip = new Trip(idempotent, { bytes: kept, canSend: stream?.canSend });
  const run = (context: CallContext): Promise<StreamedAnswer> =>
    new Promise((resolve, reject) => {
      const answer = new StreamedAnswer(core, trip, nothing, { resolve, reject });
      answer.start({
        method,
        path: target,
        headers: withChain(request.headers, context),
        body: stream?.parts() ?? (kept === 0 ? null : (body as Uint8Array)),
        // An answer that is read to its end for nobody has no other limit.
        bodyTimeout: limits.responseIdleMs,
      });
    });
  const options = {
    deadlineMs,
    idempotent,
    signal,
    subject: trip,
    // What is not made twice has the whole deadline.
    ...(!idempotent && { tryTimeoutMs: deadlineMsMax }),
  };
  try {
    const answer = await core.policy.run(run, options);
    trip.end();
    return await relay(answer, request.response, {
      clock: core.runtime.clock,
      idleMs: limits.responseIdleMs,
      ownHeaders: () => request.ownHeaders(),
    });
  } catch (error) {
    trip.underWay?.discard();
    core.metrics.failed(error);
    throw error;
  } finally {
    trip.end();
  }
}

function nothing(): void {}

/** GET and HEAD by their definition; other methods when their client gave the request a name. */
function mayRepeat({ method, headers, body }: ProxyRequest): boolean {
  if (body instanceof RequestStream) return false;
  if (method === "GET" || method === "HEAD") return true;
  return headerOf(headers, "idempotency-key") !== undefined;
}
