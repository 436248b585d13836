import type { ServiceClient } from "../discovery/service-client.ts";
import type { ServiceClientOptions } from "../discovery/service-client-options.ts";
import type { Queue } from "../queueing/queue.ts";
import { decodeQueueError } from "../queueing/queue-protocol.ts";
import { remoteQueue } from "../queueing/remote-queue.ts";
import type { Runtime } from "../runtime/runtime.ts";

/**
 * How a queue's owner is called. Without retries, which are the remote queue's: it alone knows what
 * may be repeated, and two that repeat would multiply. Without a circuit: there is one owner, and
 * what is to be written waits for it.
 */
export const queueClientOptions: Pick<ServiceClientOptions, "responseBytesMax" | "policy"> = {
  // A claim may bring 256 messages of 64 KiB, quoted once more.
  responseBytesMax: 64 * 1024 * 1024,
  policy: { name: "the queue's owner", breaker: false, retry: false },
};

/** The queue behind a client of its owner's service. @param token of the fleet */
export function queueOver(owner: ServiceClient, token: string, runtime: Runtime): Queue {
  const headers = { authorization: `Bearer ${token}` };
  return remoteQueue(
    async (operation, payload, { signal, deadlineMs, idempotent, incoming }) => {
      const reply = await owner.request({
        method: "POST",
        path: `/v1/queue/${operation}`,
        headers,
        body: payload as object,
        deadlineMs,
        tryTimeoutMs: deadlineMs,
        idempotent,
        signal,
        ...(incoming && { incoming }),
      });
      const answer = reply.json();
      if (reply.status === 200) return answer;
      throw decodeQueueError(answer) ?? new Error(`the queue's owner answered ${reply.status}`);
    },
    { runtime },
  );
}
