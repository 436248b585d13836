import type { Clock } from "../../runtime/clock.ts";
import { abortError } from "../../runtime/errors.ts";
import type { Connection } from "./connection.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { RpcError } from "./rpc-error.ts";

export interface UnaryCall {
  readonly result: Promise<Uint8Array>;
  cancel(): void;
}

/** One message there, one back. */
export function unaryCall(
  peer: Connection,
  path: string,
  metadata: Readonly<Record<string, string>>,
  request: Uint8Array,
): UnaryCall {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  promise.catch(() => {});
  let answer: Uint8Array | undefined;
  const call = peer.call(path, metadata, {
    message(message) {
      answer = message;
    },
    end(error) {
      if (error !== undefined) reject(error);
      else if (answer !== undefined) resolve(answer);
      else reject(new RpcError(grpcStatus.internal, "the answer was empty", true));
    },
  });
  call.send(request);
  call.finish();
  return { result: promise, cancel: () => call.cancel() };
}

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface DeadlineOptions extends WaitOptions {
  /** Had the request been sent when the time was up? */
  readonly wasSent: boolean;
}

/** The result, unless the time is up or the signal fires before. */
export function withDeadline<Result>(
  clock: Clock,
  result: Promise<Result>,
  { timeoutMs, signal, wasSent }: DeadlineOptions,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
      then();
    };
    const onAbort = (): void => settle(() => reject(abortError(signal as AbortSignal)));
    const onTime = (): void =>
      settle(() => reject(new RpcError(grpcStatus.deadlineExceeded, "no answer in time", wasSent)));
    const timer = clock.setTimer(Math.max(0, timeoutMs), onTime);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    result.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
