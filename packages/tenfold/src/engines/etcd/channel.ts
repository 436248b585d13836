import { TenfoldError } from "../../runtime/errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { accessWith, type Credentials, type Pass } from "./access.ts";
import type { Connection } from "./connection.ts";
import type { EtcdEndpoint } from "./endpoints.ts";
import { methods } from "./messages.ts";
import { createPeers } from "./peers.ts";
import { persisting } from "./persist.ts";
import { type Decoded, type Encodable, encode, type Fields } from "./protobuf.ts";
import type { RpcCall, RpcReceiver } from "./rpc-call.ts";
import { isUnavailable, type RpcError } from "./rpc-error.ts";
import type { ServerFacts } from "./server-facts.ts";
import type { StoreCheck } from "./store-check.ts";
import { harmless, readAnswer, requireLeader, storeGate } from "./store-gate.ts";
import type { EtcdTlsOptions } from "./tls.ts";
import { unaryCall, type WaitOptions, withDeadline } from "./unary-call.ts";

export interface ChannelParts {
  readonly endpoints: readonly EtcdEndpoint[];
  readonly credentials: Credentials;
  readonly tls: EtcdTlsOptions;
  readonly store: StoreCheck;
  readonly facts: ServerFacts;
  readonly runtime: Runtime;
}

export interface UnaryMethod<Request extends Fields, Response extends Fields> {
  readonly path: string;
  readonly request: Request;
  readonly response: Response;
}

export interface UnaryOptions extends WaitOptions {
  /** May the call be made again when it is not known whether it was carried out? */
  readonly idempotent: boolean;
  /** Served also by a server that cannot say which store it has: one without its majority. */
  readonly anyStore?: boolean;
}

export interface StreamCall extends RpcCall {
  /** An answer is late: finds out whether the connection still lives. */
  probe(): void;
  /** An answer is overdue: new calls go elsewhere. @returns false when there is no other server */
  doubt(): boolean;
  /** The next call asks for another token, where there are a user and a password for it. */
  forgetToken(): void;
}

/** Calls to whichever of the servers answers. */
export interface Channel {
  /** @throws RpcError, or the signal's reason */
  unary<Request extends Fields, Response extends Fields>(
    method: UnaryMethod<Request, Response>,
    request: Encodable<Request>,
    options: UnaryOptions,
  ): Promise<Decoded<Response>>;
  /**
   * Resolves when a server is there and its store is the accepted one; after `afresh`, once it was
   * asked again.
   * @throws RpcError, TENFOLD_COORDINATION_STORE_REPLACED, or the signal's reason
   */
  identified(options: WaitOptions & { readonly afresh?: boolean }): Promise<void>;
  /** Needs no waiting: a server is there, and its store was accepted. */
  readonly isIdentified: boolean;
  /** @throws RpcError when no server is there, TENFOLD_COORDINATION_STORE_REPLACED */
  stream(path: string, receiver: RpcReceiver, signal: AbortSignal): Promise<StreamCall>;
  readonly closing: AbortSignal;
  close(): void;
}

/** Long enough to try three servers of which two are silent. */
const streamTimeoutMs = 3_000;

export function createChannel(parts: ChannelParts): Channel {
  const { endpoints, store, facts, runtime } = parts;
  const { clock, random } = runtime;
  const closing = new AbortController();
  const peers = createPeers(endpoints, parts.tls, runtime);
  const connected = ({ timeoutMs, signal }: WaitOptions): Promise<Connection> =>
    withDeadline(clock, peers.connected(), { timeoutMs, signal });
  const exchange = async (
    peer: Connection,
    { path, metadata, request }: Message,
    { timeoutMs, signal }: WaitOptions,
  ): Promise<Uint8Array> => {
    try {
      return await unaryCall(peer, path, metadata, request, { clock, timeoutMs, signal });
    } catch (error) {
      if (isUnavailable(error)) peers.doubt(peer);
      throw error;
    }
  };
  const access = accessWith(parts.credentials, async (request, timeoutMs) => {
    const call = { path: methods.authenticate, metadata: {}, request };
    const peer = await connected({ timeoutMs });
    return await exchange(peer, call, { timeoutMs }).catch((error) => {
      throw harmless(error);
    });
  });
  const { doubt } = peers;
  const gate = storeGate({ store, facts, clock, closing: closing.signal, doubt });
  /** A connection on which the accepted store is, and how much time is left. */
  const admitted = async (pass: Pass, options: WaitOptions): Promise<[Connection, WaitOptions]> => {
    const { current } = peers;
    if (current !== undefined && gate.isOpen(current)) return [current, options];
    const deadline = clock.now() + options.timeoutMs;
    const peer = await connected(options);
    await gate.pass(peer, pass, { ...options, timeoutMs: deadline - clock.now() });
    return [peer, { ...options, timeoutMs: deadline - clock.now() }];
  };
  // With several servers, one that is silent may cost only its share of the time.
  const shares = Math.min(endpoints.length, 2);
  const persist = persisting({ clock, random, closing: closing.signal, access, shares });

  return {
    unary({ path, request: fields, response }, request, options) {
      const bytes = encode(fields, request);
      const { idempotent, anyStore = false } = options;
      const deadline = clock.now() + options.timeoutMs;
      const isSafe = (error: RpcError): boolean => idempotent || !error.mayHaveApplied;
      return persist(options, isSafe, async (pass, wait) => {
        const [peer, left] = anyStore ? [await connected(wait), wait] : await admitted(pass, wait);
        const metadata = anyStore ? pass : { ...pass, ...requireLeader };
        // What may not be repeated is waited for as long as there is time.
        const timeoutMs = idempotent ? left.timeoutMs : deadline - clock.now();
        const call = { path, metadata, request: bytes };
        return readAnswer(response, await exchange(peer, call, { ...left, timeoutMs }));
      });
    },
    get isIdentified() {
      return peers.current !== undefined && gate.isOpen(peers.current);
    },
    async identified({ afresh = false, ...options }) {
      if (afresh) gate.forget();
      await persist(options, () => true, admitted);
    },
    async stream(path, receiver, signal) {
      const wait = { timeoutMs: streamTimeoutMs, signal };
      const [peer, pass] = await persist(
        wait,
        () => true,
        async (shown, left) => [(await admitted(shown, left))[0], shown] as const,
      );
      const end = (error?: RpcError): void => {
        access.renewsAfter(error, pass);
        receiver.end(error);
      };
      const metadata = { ...pass, ...requireLeader };
      const call = peer.call(path, metadata, { message: receiver.message, end });
      const forgetToken = (): void => access.forget(pass);
      return { ...call, forgetToken, probe: peer.probe, doubt: () => peers.doubt(peer) };
    },
    closing: closing.signal,
    close() {
      closing.abort(
        new TenfoldError("TENFOLD_COORDINATION_CLOSED", "The coordinator client was closed."),
      );
      peers.close();
    },
  };
}

interface Message {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly request: Uint8Array;
}
