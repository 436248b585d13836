import type { Clock, Timer } from "../../runtime/clock.ts";
import { abortError } from "../../runtime/errors.ts";
import type { Connection } from "./connection.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { RpcError } from "./rpc-error.ts";

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface CallWait extends WaitOptions {
  readonly clock: Clock;
}

/**
 * One message there, one back. Without a wait it ends with its connection; with one it is given up
 * when the time is up or the signal fires: one promise and one timer, as each costs.
 * @throws RpcError, or the signal's reason
 */
export function unaryCall(
  peer: Connection,
  path: string,
  metadata: Readonly<Record<string, string>>,
  request: Uint8Array,
  wait?: CallWait,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const signal = wait?.signal;
    if (signal?.aborted) throw abortError(signal);
    let answer: Uint8Array | undefined;
    let timer: Timer | undefined;
    const settled = (): void => {
      timer?.cancel();
      signal?.removeEventListener("abort", onAbort);
    };
    const giveUp = (error: unknown): void => {
      settled();
      call.cancel();
      reject(error);
    };
    const onAbort = (): void => giveUp(abortError(signal as AbortSignal));
    const call = peer.call(path, metadata, {
      message(message) {
        answer = message;
      },
      end(error) {
        settled();
        if (error !== undefined) reject(error);
        else if (answer !== undefined) resolve(answer);
        else reject(new RpcError(grpcStatus.internal, "the answer was empty", true));
      },
    });
    call.finish(request);
    if (wait === undefined) return;
    timer = wait.clock.setTimer(Math.max(0, wait.timeoutMs), () => giveUp(noAnswer(true)));
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function noAnswer(mayHaveApplied: boolean): RpcError {
  return new RpcError(grpcStatus.deadlineExceeded, "no answer in time", mayHaveApplied);
}

/** What comes before a call, unless the time is up or the signal fires before. */
export function withDeadline<Result>(
  clock: Clock,
  result: Promise<Result>,
  { timeoutMs, signal }: WaitOptions,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
      then();
    };
    const onAbort = (): void => settle(() => reject(abortError(signal as AbortSignal)));
    const timer = clock.setTimer(Math.max(0, timeoutMs), () => {
      settle(() => reject(noAnswer(false)));
    });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    result.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
