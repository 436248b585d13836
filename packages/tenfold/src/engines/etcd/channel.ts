import { backOff } from "../../coordination/back-off.ts";
import { errorText, TenfoldError } from "../../runtime/errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { EtcdEndpoint } from "./endpoints.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { authenticateRequest, authenticateResponse, methods } from "./messages.ts";
import { createPeers, type Peers } from "./peers.ts";
import { type Decoded, decode, type Encodable, encode, type Fields } from "./protobuf.ts";
import type { RpcCall, RpcReceiver } from "./rpc-call.ts";
import { isUnavailable, RpcError } from "./rpc-error.ts";
import { unaryCall, withDeadline } from "./unary-call.ts";

export interface Credentials {
  readonly token?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

export interface UnaryMethod<Request extends Fields, Response extends Fields> {
  readonly path: string;
  readonly request: Request;
  readonly response: Response;
}

export interface UnaryOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** May the call be made again when it is not known whether it was carried out? */
  readonly idempotent: boolean;
}

/** Calls to whichever of the servers answers. */
export interface Channel {
  /** @throws RpcError, or the signal's reason */
  unary<Request extends Fields, Response extends Fields>(
    method: UnaryMethod<Request, Response>,
    request: Encodable<Request>,
    options: UnaryOptions,
  ): Promise<Decoded<Response>>;
  /** @throws RpcError when no server is there */
  stream(path: string, receiver: RpcReceiver, signal: AbortSignal): Promise<RpcCall>;
  /** A call was not answered in time: finds out whether its connection still lives. */
  probe(): void;
  readonly closing: AbortSignal;
  close(): void;
}

/** So that a member cut off from its majority ends streams instead of staying silent. */
const requireLeader = { hasleader: "true" };
/** Long enough to try three servers of which two are silent. */
const streamTimeoutMs = 3_000;

export function createChannel(
  endpoints: readonly EtcdEndpoint[],
  credentials: Credentials,
  runtime: Runtime,
): Channel {
  const { clock, random } = runtime;
  const closing = new AbortController();
  const peers = createPeers(endpoints, runtime);
  const access = accessWith(credentials, (request, timeoutMs) =>
    attempt(clock, peers, { path: methods.authenticate, metadata: {}, request, timeoutMs }),
  );

  return {
    async unary(method, request, { timeoutMs, signal, idempotent }) {
      const bytes = encode(method.request, request);
      const deadline = clock.now() + timeoutMs;
      // With several servers, one that is silent may cost only its share of the time.
      const shareMs = timeoutMs / Math.min(endpoints.length, 2);
      const wait = backOff(random);
      for (;;) {
        closing.signal.throwIfAborted();
        const leftMs = Math.min(deadline - clock.now(), shareMs);
        try {
          const metadata = await access.metadata(leftMs);
          const { path } = method;
          const call = { path, metadata, request: bytes, timeoutMs: leftMs, signal };
          return read(method.response, await attempt(clock, peers, call));
        } catch (error) {
          const isSafe = isUnavailable(error) && (idempotent || !error.mayHaveApplied);
          const waitMs = wait.next();
          const hasTime = clock.now() + waitMs < deadline;
          if (!hasTime || !(isSafe || access.renewsAfter(error))) throw error;
          await clock.sleep(waitMs, { signal });
        }
      }
    },
    async stream(path, receiver, signal) {
      const metadata = { ...(await access.metadata(streamTimeoutMs)), ...requireLeader };
      const options = { timeoutMs: streamTimeoutMs, signal, wasSent: false };
      const peer = await withDeadline(clock, peers.connected(), options);
      return peer.call(path, metadata, {
        message: receiver.message,
        end(error) {
          access.renewsAfter(error);
          receiver.end(error);
        },
      });
    },
    probe: peers.probe,
    closing: closing.signal,
    close() {
      closing.abort(
        new TenfoldError("TENFOLD_COORDINATION_CLOSED", "The coordinator client was closed."),
      );
      peers.close();
    },
  };
}

function read<Response extends Fields>(fields: Response, answer: Uint8Array): Decoded<Response> {
  try {
    return decode(fields, answer);
  } catch (error) {
    throw new RpcError(grpcStatus.internal, `unreadable answer: ${errorText(error)}`, true);
  }
}

interface Attempt {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly request: Uint8Array;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

async function attempt(clock: Runtime["clock"], peers: Peers, call: Attempt): Promise<Uint8Array> {
  const { timeoutMs, signal } = call;
  const deadline = clock.now() + timeoutMs;
  const connecting = { timeoutMs, signal, wasSent: false };
  const peer = await withDeadline(clock, peers.connected(), connecting);
  const { result, cancel } = unaryCall(peer, call.path, call.metadata, call.request);
  try {
    const leftMs = deadline - clock.now();
    return await withDeadline(clock, result, { timeoutMs: leftMs, signal, wasSent: true });
  } catch (error) {
    cancel();
    if (isUnavailable(error)) peer.probe();
    throw error;
  }
}

interface Access {
  metadata(timeoutMs: number): Promise<Readonly<Record<string, string>>>;
  /** True when the error says that the token has expired and another can be asked for. */
  renewsAfter(error: unknown): boolean;
}

/** A token as given, or one that the server hands out for user and password. */
function accessWith(
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
