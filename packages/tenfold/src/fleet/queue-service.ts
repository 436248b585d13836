import { join } from "node:path";

import type { Queue } from "../queueing/queue.ts";
import { answerQueueCall, encodeQueueError } from "../queueing/queue-protocol.ts";
import { errorText, isTenfoldError } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Registry } from "../telemetry/registry.ts";
import { defineService, type Service } from "./service.ts";
import { checkAdminRequest } from "./trust.ts";

const bodyBytesMax = 1024 * 1024;
const statsEveryMs = 1_000;

/**
 * The owner of a durable queue as a process of a fleet: `POST /v1/queue/OPERATION`, for the
 * fleet's own processes only, which show its token.
 */
export const queueService: Service = defineService({
  name: "queue",
  async start({ instance, settings, runtime, metrics, token, stopping }) {
    const { createSqliteQueue } = await import("../engines/sqlite/queue.ts");
    const queue = await createSqliteQueue({
      file: join(instance.dataFolder, "queue.db"),
      ...(typeof settings.waitingMax === "number"
        ? { limits: { openCountMax: settings.waitingMax } }
        : {}),
      runtime,
    });
    const watching = watchStats(queue, metrics, runtime, stopping);
    return {
      bodyBytesMax,
      routes: {
        "POST /v1/queue/:operation": async (request) => {
          const { method, headers, params, signal } = request;
          const { host, origin, authorization } = headers;
          const trust = checkAdminRequest(
            { method, host, origin, authorization },
            { token: token ?? "", ownHosts: [instance.address] },
          );
          if (token !== undefined && !trust.ok) {
            const { status, code, message } = trust;
            return { status, body: { error: { code, message } } };
          }
          try {
            const payload = await request.json();
            // A claim that waits for a message must not hold up the end of this process.
            const until = AbortSignal.any([signal, stopping]);
            const operation = params.operation ?? "";
            const isClaim = operation === "claim";
            const own = isClaim ? until : signal;
            const beganAt = runtime.clock.now();
            const body = await answerQueueCall(queue, operation, payload, { signal: own });
            const waitedMs = isClaim ? runtime.clock.now() - beganAt : 0;
            return { status: 200, body, waitedMs };
          } catch (error) {
            if (isTenfoldError(error) && error.code.startsWith("TENFOLD_QUEUEING_")) {
              return encodeQueueError(error);
            }
            throw error;
          }
        },
      },
      async close() {
        await queue.close();
        await watching;
      },
    };
  },
});

async function watchStats(
  queue: Queue,
  metrics: Registry,
  { clock, log }: Runtime,
  stopping: AbortSignal,
): Promise<void> {
  const gauge = (name: string, help: string) =>
    metrics.gauge({ name: `tenfold_queue_${name}`, help });
  const gauges = {
    accepted: gauge("accepted", "Messages ever accepted."),
    done: gauge("done", "Messages ever done."),
    dead: gauge("dead", "Messages given up."),
    ready: gauge("ready", "Messages that wait for a worker."),
    leased: gauge("leased", "Messages that a worker has."),
    delayed: gauge("delayed", "Messages that wait to be tried again."),
  };
  const oldest = gauge("oldest_seconds", "Age of the oldest message that is not done.");
  while (!stopping.aborted) {
    try {
      const stats = await queue.stats();
      for (const name of Object.keys(gauges) as (keyof typeof gauges)[]) {
        gauges[name].set(stats[name]);
      }
      oldest.set(stats.oldestMs / 1_000);
    } catch (error) {
      log.warn("the queue's counts could not be read", { reason: errorText(error) });
    }
    await clock.sleep(statsEveryMs, { signal: stopping }).catch(() => {});
  }
}
