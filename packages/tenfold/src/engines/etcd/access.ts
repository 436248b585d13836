import { grpcStatus } from "./grpc-frame.ts";
import { authenticateRequest, authenticateResponse } from "./messages.ts";
import { decode, encode } from "./protobuf.ts";
import { RpcError } from "./rpc-error.ts";

export interface Credentials {
  readonly token?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/** The header that shows who calls. */
export type Pass = Readonly<Record<string, string>>;

/** What callers show to the server. */
export interface Access {
  metadata(timeoutMs: number): Promise<Pass>;
  /** A call with this pass ended so: is another pass worth a try? */
  renewsAfter(error: unknown, shown: Pass): boolean;
  /** The next call asks for another, where there are user and password for it. */
  forget(shown: Pass): void;
}

/** A token as given, or one that the server hands out for user and password. */
export function accessWith(
  { token, user: name, password }: Credentials,
  authenticate: (request: Uint8Array, timeoutMs: number) => Promise<Uint8Array>,
): Access {
  let pass: Pass | undefined;
  if (token !== undefined) pass = { token };
  else if (name === undefined) pass = {};
  let asking: Promise<Pass> | undefined;

  // Once for all calls that wait: checking a password is made to be slow.
  const ask = async (timeoutMs: number): Promise<Pass> => {
    const answer = await authenticate(encode(authenticateRequest, { name, password }), timeoutMs);
    pass = { token: decode(authenticateResponse, answer).token };
    return pass;
  };
  const forget = (shown: Pass): void => {
    // Not one that was handed out since.
    if (name !== undefined && token === undefined && pass === shown) pass = undefined;
  };
  return {
    async metadata(timeoutMs) {
      if (pass !== undefined) return pass;
      asking ??= ask(timeoutMs).finally(() => {
        asking = undefined;
      });
      return await asking;
    },
    renewsAfter(error, shown) {
      if (!(error instanceof RpcError) || !isStale(error)) return false;
      forget(shown);
      return pass !== shown;
    },
    forget,
  };
}

/** Its time is over, or users and roles have changed since it was handed out. */
function isStale({ status, message }: RpcError): boolean {
  return status === grpcStatus.unauthenticated || message.includes("revision of auth store is old");
}
