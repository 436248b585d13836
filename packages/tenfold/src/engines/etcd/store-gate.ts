import { errorText } from "../../runtime/errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { Access } from "./access.ts";
import type { Connection } from "./connection.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { methods, rangeRequest, rangeResponse } from "./messages.ts";
import { type Decoded, decode, encode, type Fields } from "./protobuf.ts";
import { RpcError } from "./rpc-error.ts";
import type { StoreCheck } from "./store-check.ts";
import { unaryCall, type WaitOptions, withDeadline } from "./unary-call.ts";

/** Lets calls onto a connection once it is known that the accepted store is behind it. */
export interface StoreGate {
  /** @throws RpcError (nothing was changed), TENFOLD_COORDINATION_STORE_REPLACED */
  pass(peer: Connection, options: WaitOptions): Promise<void>;
  /** Every connection is asked again. */
  forget(): void;
}

/** Short: a member without a leader keeps the question for long, and may get one meanwhile. */
const askTimeoutMs = 1_000;

export function storeGate(
  store: StoreCheck,
  access: Access,
  { clock }: Pick<Runtime, "clock">,
  closing: AbortSignal,
): StoreGate {
  let asked = new WeakMap<Connection, Promise<void>>();
  const question = encode(rangeRequest, store.question);

  const ask = async (peer: Connection): Promise<void> => {
    for (;;) {
      const mark = store.mark();
      const metadata = await access.metadata(askTimeoutMs);
      const { result, cancel } = unaryCall(peer, methods.range, metadata, question);
      const options = { timeoutMs: askTimeoutMs, signal: closing, wasSent: false };
      const answer = await withDeadline(clock, result, options).catch((error: unknown) => {
        cancel();
        peer.probe();
        throw harmless(error);
      });
      if (store.identify(readAnswer(rangeResponse, answer), mark)) return;
    }
  };
  return {
    pass(peer, { timeoutMs, signal }) {
      let asking = store.refused ? undefined : asked.get(peer);
      if (asking === undefined) {
        const round = asked;
        asking = ask(peer);
        round.set(peer, asking);
        asking.catch(() => round.delete(peer));
      }
      return withDeadline(clock, asking, { timeoutMs, signal, wasSent: false });
    },
    forget() {
      asked = new WeakMap();
    },
  };
}

/** The question who the store is changes nothing: the call for which it was asked was not sent. */
function harmless(error: unknown): unknown {
  return error instanceof RpcError ? new RpcError(error.status, error.message, false) : error;
}

/** @throws RpcError */
export function readAnswer<Response extends Fields>(
  fields: Response,
  answer: Uint8Array,
): Decoded<Response> {
  try {
    return decode(fields, answer);
  } catch (error) {
    throw new RpcError(grpcStatus.internal, `unreadable answer: ${errorText(error)}`, true);
  }
}
