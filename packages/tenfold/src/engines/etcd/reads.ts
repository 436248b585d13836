import { coordinatorDefaults, type ReadOptions } from "../../coordination/coordinator.ts";
import type { Channel } from "./channel.ts";
import { grpcStatus } from "./grpc-frame.ts";
import { methods, type RangeResponse, rangeRequest, rangeResponse } from "./messages.ts";
import type { Encodable } from "./protobuf.ts";
import { RpcError } from "./rpc-error.ts";
import type { StoreCheck } from "./store-check.ts";

const range = { path: methods.range, request: rangeRequest, response: rangeResponse };

/** etcd before 3.4.42 may serve an old state after its process stood still (#20418). */
const oldAnswersMax = 3;

export type Read = (
  request: Encodable<typeof rangeRequest>,
  options?: ReadOptions,
) => Promise<RangeResponse & { readonly generation: number }>;

/** Ranges, with the generation of the store that answered. @throws RpcError */
export function reader(channel: Channel, store: StoreCheck): Read {
  return async (request, options = {}) => {
    const { signal, timeoutMs = coordinatorDefaults.callTimeoutMs, reads } = options;
    const serializable = reads === "stale";
    const call = { signal, timeoutMs, idempotent: true, anyStore: serializable };
    for (let tries = 0; tries < oldAnswersMax; tries++) {
      if (!serializable && !channel.isIdentified) await channel.identified(call);
      const mark = store.mark();
      const answer = await channel.unary(range, { ...request, serializable }, call);
      if (serializable || store.believes(answer.header, mark)) {
        return { ...answer, generation: mark.generation };
      }
      await channel.identified({ ...call, afresh: true });
    }
    throw new RpcError(grpcStatus.unavailable, "the server answers from an old state", false);
  };
}
