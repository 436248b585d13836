import { grpcStatus } from "../etcd/grpc-frame.ts";

/** A refusal that goes to the client as gRPC status and text. */
export class GrpcError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Refusals with etcd's own texts (api/v3rpc/rpctypes/error.go): clients compare them, so they are
 * part of the protocol.
 */
const table = {
  keyNotProvided: [grpcStatus.invalidArgument, "key is not provided"],
  keyNotFound: [grpcStatus.invalidArgument, "key not found"],
  valueProvided: [grpcStatus.invalidArgument, "value is provided"],
  leaseProvided: [grpcStatus.invalidArgument, "lease is provided"],
  tooManyOperations: [grpcStatus.invalidArgument, "too many operations in txn request"],
  duplicateKey: [grpcStatus.invalidArgument, "duplicate key given in txn request"],
  invalidSort: [grpcStatus.invalidArgument, "invalid sort option"],
  requestTooLarge: [grpcStatus.invalidArgument, "request is too large"],
  compacted: [grpcStatus.outOfRange, "mvcc: required revision has been compacted"],
  futureRevision: [grpcStatus.outOfRange, "mvcc: required revision is a future revision"],
  noSpace: [grpcStatus.resourceExhausted, "mvcc: database space exceeded"],
  leaseNotFound: [grpcStatus.notFound, "requested lease not found"],
  leaseExists: [grpcStatus.failedPrecondition, "lease already exists"],
  leaseTtlTooLarge: [grpcStatus.outOfRange, "too large lease TTL"],
  tooManyRequests: [grpcStatus.resourceExhausted, "too many requests"],
  invalidAuthToken: [grpcStatus.unauthenticated, "invalid auth token"],
  authNotEnabled: [grpcStatus.failedPrecondition, "authentication is not enabled"],
  authFailed: [grpcStatus.invalidArgument, "authentication failed, invalid user ID or password"],
  alarmsAreOurs: [grpcStatus.unimplemented, "alarms cannot be raised here"],
  diskFailed: [grpcStatus.unavailable, "the disk refused it"],
  stopped: [grpcStatus.unavailable, "server stopped"],
} as const;

export function refusal(name: keyof typeof table): GrpcError {
  const [status, text] = table[name];
  return new GrpcError(status, `etcdserver: ${text}`);
}
