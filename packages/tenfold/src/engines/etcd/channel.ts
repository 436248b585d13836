import { backOff } from "../../coordination/back-off.ts";
import { TenfoldError } from "../../runtime/errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { accessWith, type Credentials } from "./access.ts";
import type { Connection } from "./connection.ts";
import type { EtcdEndpoint } from "./endpoints.ts";
import { methods } from "./messages.ts";
import { createPeers } from "./peers.ts";
import { type Decoded, type Encodable, encode, type Fields } from "./protobuf.ts";
import type { RpcCall, RpcReceiver } from "./rpc-call.ts";
import { isUnavailable, type RpcError } from "./rpc-error.ts";
import type { StoreCheck } from "./store-check.ts";
import { readAnswer, storeGate } from "./store-gate.ts";
import { unaryCall, type WaitOptions, withDeadline } from "./unary-call.ts";

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
  /** @throws RpcError when no server is there, TENFOLD_COORDINATION_STORE_REPLACED */
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
  store: StoreCheck,
  runtime: Runtime,
): Channel {
  const { clock, random } = runtime;
  const closing = new AbortController();
  const peers = createPeers(endpoints, runtime);
  const access = accessWith(credentials, async (request, timeoutMs) => {
    const peer = await connected({ timeoutMs });
    return exchange(
      clock,
      peer,
      { path: methods.authenticate, metadata: {}, request },
      { timeoutMs },
    );
  });
  const gate = storeGate(store, access, runtime, closing.signal);

  const connected = ({ timeoutMs, signal }: WaitOptions): Promise<Connection> =>
    withDeadline(clock, peers.connected(), { timeoutMs, signal, wasSent: false });
  /** A connection on which the accepted store is, and how much time is left. */
  const admitted = async (options: WaitOptions): Promise<[Connection, WaitOptions]> => {
    const deadline = clock.now() + options.timeoutMs;
    const peer = await connected(options);
    await gate.pass(peer, { ...options, timeoutMs: deadline - clock.now() });
    return [peer, { ...options, timeoutMs: deadline - clock.now() }];
  };
  /** Runs it again until it succeeds, fails for good, or the time is up. */
  const persist = async <Result>(
    { timeoutMs, signal }: WaitOptions,
    isSafe: (error: RpcError) => boolean,
    run: (options: WaitOptions) => Promise<Result>,
  ): Promise<Result> => {
    const deadline = clock.now() + timeoutMs;
    // With several servers, one that is silent may cost only its share of the time.
    const shareMs = timeoutMs / Math.min(endpoints.length, 2);
    const wait = backOff(random);
    for (;;) {
      closing.signal.throwIfAborted();
      try {
        return await run({ timeoutMs: Math.min(deadline - clock.now(), shareMs), signal });
      } catch (error) {
        const waitMs = wait.next();
        const hasTime = clock.now() + waitMs < deadline;
        const mayRepeat = isUnavailable(error) && isSafe(error);
        if (!hasTime || !(mayRepeat || access.renewsAfter(error))) throw error;
        await clock.sleep(waitMs, { signal });
      }
    }
  };

  return {
    unary({ path, request: fields, response }, request, options) {
      const bytes = encode(fields, request);
      const isSafe = (error: RpcError): boolean => options.idempotent || !error.mayHaveApplied;
      return persist(options, isSafe, async (wait) => {
        const metadata = await access.metadata(wait.timeoutMs);
        const [peer, left] = options.anyStore
          ? [await connected(wait), wait]
          : await admitted(wait);
        return readAnswer(
          response,
          await exchange(clock, peer, { path, metadata, request: bytes }, left),
        );
      });
    },
    async identified({ afresh = false, ...options }) {
      if (afresh) gate.forget();
      await persist(options, () => true, admitted);
    },
    async stream(path, receiver, signal) {
      const metadata = { ...(await access.metadata(streamTimeoutMs)), ...requireLeader };
      const [peer] = await admitted({ timeoutMs: streamTimeoutMs, signal });
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

interface Message {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly request: Uint8Array;
}

/** One call on one connection. */
async function exchange(
  clock: Runtime["clock"],
  peer: Connection,
  { path, metadata, request }: Message,
  { timeoutMs, signal }: WaitOptions,
): Promise<Uint8Array> {
  const { result, cancel } = unaryCall(peer, path, metadata, request);
  try {
    return await withDeadline(clock, result, { timeoutMs, signal, wasSent: true });
  } catch (error) {
    cancel();
    if (isUnavailable(error)) peer.probe();
    throw error;
  }
}
