import { TenfoldError } from "../../runtime/errors.ts";
import { grpcStatus } from "./grpc-frame.ts";

/** A call that did not end well, with what the server or the connection said of it. */
export class RpcError extends Error {
  readonly status: number;
  /** May the server have carried the request out all the same? */
  readonly mayHaveApplied: boolean;

  constructor(status: number, message: string, mayHaveApplied: boolean) {
    super(message);
    this.status = status;
    this.mayHaveApplied = mayHaveApplied;
  }
}

/** The connection broke or nothing answered: another server, or a later try, may do better. */
export function isUnavailable(error: unknown): error is RpcError {
  if (!(error instanceof RpcError)) return false;
  return error.status === grpcStatus.unavailable || error.status === grpcStatus.deadlineExceeded;
}

/** The port's error for what ended a call. */
export function portError(error: unknown): unknown {
  if (!(error instanceof RpcError)) return error;
  const { status, message } = error;
  const details = { grpcStatus: status };
  if (isUnavailable(error)) {
    return new TenfoldError(
      "TENFOLD_COORDINATION_UNAVAILABLE",
      `No coordinator answered in time: ${message}.`,
      { retryable: true, details, cause: error },
    );
  }
  if (status === grpcStatus.internal || status === grpcStatus.unknown) {
    return new TenfoldError(
      "TENFOLD_COORDINATION_ANSWER_INVALID",
      `The coordinator failed to serve the call: ${message}.`,
      { details, cause: error },
    );
  }
  return new TenfoldError(
    "TENFOLD_COORDINATION_REFUSED",
    `The coordinator refused the call: ${message}.`,
    { details, cause: error },
  );
}
