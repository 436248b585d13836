import type { ErrorCode } from "../../runtime/error-codes.ts";
import { TenfoldError } from "../../runtime/errors.ts";
import { grpcStatus } from "./grpc-frame.ts";

/**
 * Why no later try will do better: the certificate is not the right one, or what listens there does
 * not speak etcd's protocol.
 */
export type RpcFault = "tls" | "not-etcd";

/** A call that did not end well, with what the server or the connection said of it. */
export class RpcError extends Error {
  readonly status: number;
  /** May the server have carried the request out all the same? */
  readonly mayHaveApplied: boolean;
  readonly fault: RpcFault | undefined;

  constructor(status: number, message: string, mayHaveApplied: boolean, fault?: RpcFault) {
    super(message);
    this.status = status;
    this.mayHaveApplied = mayHaveApplied;
    this.fault = fault;
  }
}

/** The connection broke or nothing answered: another server, or a later try, may do better. */
export function isUnavailable(error: unknown): error is RpcError {
  if (!(error instanceof RpcError) || error.fault !== undefined) return false;
  return error.status === grpcStatus.unavailable || error.status === grpcStatus.deadlineExceeded;
}

/** Said before anything was proposed: a member without a leader has changed nothing. */
const saidBeforehand = ["etcdserver: no leader", "raft proposal dropped"];

/** A server that gave up waiting for its quorum does not know either. */
const unsure: readonly number[] = [
  grpcStatus.cancelled,
  grpcStatus.unknown,
  grpcStatus.deadlineExceeded,
  grpcStatus.internal,
  grpcStatus.unavailable,
];

/** What a server's status says, with its text. */
export function statusError(status: number, text: string): RpcError {
  if (saidBeforehand.some((one) => text.includes(one))) {
    return new RpcError(grpcStatus.unavailable, text, false);
  }
  if (status === grpcStatus.unimplemented) return new RpcError(status, text, false, "not-etcd");
  return new RpcError(status, text, unsure.includes(status));
}

/** The port's error for what ended a call. */
export function portError(error: unknown): unknown {
  if (!(error instanceof RpcError)) return error;
  const { status, message } = error;
  const [code, said] = wordsFor(error);
  const retryable = isUnavailable(error) || message.includes("too many requests");
  const details = { grpcStatus: status };
  const advice = adviceOn.find(([saying]) => message.includes(saying))?.[1] ?? "";
  const text = `${said}: ${message}.${advice}`;
  return new TenfoldError(code, text, { retryable, details, cause: error });
}

/** What etcd says of tokens and users does not tell that it may have none at all. */
const adviceOn: readonly (readonly [string, string])[] = [
  ["authentication is not enabled", " It knows no users: give neither user nor password."],
  [
    "invalid auth token",
    " See the token; etcd takes none while its authentication is not enabled.",
  ],
];

function wordsFor(error: RpcError): [ErrorCode, string] {
  const { status, fault } = error;
  if (fault === "tls") {
    return ["TENFOLD_COORDINATION_TLS_FAILED", "No trusted connection to the coordinator"];
  }
  if (isUnavailable(error)) {
    return ["TENFOLD_COORDINATION_UNAVAILABLE", "No coordinator answered in time"];
  }
  const isOdd = status === grpcStatus.internal || status === grpcStatus.unknown;
  if (fault === "not-etcd" || isOdd) {
    return ["TENFOLD_COORDINATION_ANSWER_INVALID", "The coordinator failed to serve the call"];
  }
  return ["TENFOLD_COORDINATION_REFUSED", "The coordinator refused the call"];
}
