import { grpcStatus } from "./grpc-frame.ts";
import { authenticateRequest, authenticateResponse } from "./messages.ts";
import { decode, encode } from "./protobuf.ts";
import { RpcError } from "./rpc-error.ts";

export interface Credentials {
  readonly token?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/** What callers show to the server. */
export interface Access {
  metadata(timeoutMs: number): Promise<Readonly<Record<string, string>>>;
  /** True when the error says that the token has expired and another can be asked for. */
  renewsAfter(error: unknown): boolean;
}

/** A token as given, or one that the server hands out for user and password. */
export function accessWith(
  credentials: Credentials,
  authenticate: (request: Uint8Array, timeoutMs: number) => Promise<Uint8Array>,
): Access {
  const { user: name, password } = credentials;
  let token = credentials.token;
  let renewed = false;
  return {
    async metadata(timeoutMs) {
      if (token === undefined && name !== undefined) {
        const answer = await authenticate(
          encode(authenticateRequest, { name, password }),
          timeoutMs,
        );
        token = decode(authenticateResponse, answer).token;
        renewed = true;
      } else renewed = false;
      return token === undefined ? {} : { token };
    },
    renewsAfter(error) {
      const isStale = error instanceof RpcError && error.status === grpcStatus.unauthenticated;
      if (!isStale || name === undefined) return false;
      token = undefined;
      // A token refused on its first use will not be better the next time.
      return !renewed;
    },
  };
}
