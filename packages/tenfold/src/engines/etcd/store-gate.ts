import { errorText } from "../../runtime/errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { Pass } from "./access.ts";
import type { Connection } from "./connection.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { methods, rangeRequest, rangeResponse } from "./messages.ts";
import { type Decoded, decode, encode, type Fields } from "./protobuf.ts";
import { isUnavailable, RpcError } from "./rpc-error.ts";
import type { ServerFacts } from "./server-facts.ts";
import type { StoreCheck } from "./store-check.ts";
import { unaryCall, type WaitOptions, withDeadline } from "./unary-call.ts";

/** Lets calls onto a connection once it is known that the accepted store is behind it. */
export interface StoreGate {
  /** @throws RpcError (nothing was changed), TENFOLD_COORDINATION_STORE_REPLACED */
  pass(peer: Connection, pass: Pass, options: WaitOptions): Promise<void>;
  /** Needs no question: it was answered before. */
  isOpen(peer: Connection): boolean;
  /** Every connection is asked again. */
  forget(): void;
}

/** Short: a member without a leader keeps the question for long, and may get one meanwhile. */
const askTimeoutMs = 1_000;

export interface StoreGateParts {
  readonly store: StoreCheck;
  readonly facts: ServerFacts;
  readonly clock: Runtime["clock"];
  readonly closing: AbortSignal;
  /** The connection did not answer in time. */
  readonly doubt: (peer: Connection) => void;
}

export function storeGate(parts: StoreGateParts): StoreGate {
  const { store, facts, clock, closing } = parts;
  let asked = new WeakMap<Connection, Promise<void>>();
  let answered = new WeakSet<Connection>();
  const question = encode(rangeRequest, store.question);

  const ask = async (peer: Connection, pass: Pass): Promise<void> => {
    for (;;) {
      const mark = store.mark();
      const metadata = { ...pass, ...requireLeader };
      const wait = { clock, timeoutMs: askTimeoutMs, signal: closing };
      const asking = unaryCall(peer, methods.range, metadata, question, wait);
      const answer = await asking.catch((error: unknown) => {
        if (isUnavailable(error)) parts.doubt(peer);
        throw harmless(error);
      });
      if (!store.identify(readAnswer(rangeResponse, answer), mark)) continue;
      facts.learn(peer, metadata);
      answered.add(peer);
      return;
    }
  };
  return {
    pass(peer, pass, { timeoutMs, signal }) {
      let asking = store.refused ? undefined : asked.get(peer);
      if (asking === undefined) {
        const round = asked;
        asking = ask(peer, pass);
        round.set(peer, asking);
        asking.catch(() => round.delete(peer));
      }
      return withDeadline(clock, asking, { timeoutMs, signal });
    },
    isOpen: (peer) => !store.refused && answered.has(peer),
    forget() {
      asked = new WeakMap();
      answered = new WeakSet();
    },
  };
}

/** So that a member cut off from its majority says so instead of staying silent. */
export const requireLeader: Readonly<Record<string, string>> = { hasleader: "true" };

/** What failed came before the call itself, which was not sent. */
export function harmless(error: unknown): unknown {
  if (!(error instanceof RpcError)) return error;
  return new RpcError(error.status, error.message, false, error.fault);
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
