import { defineService } from "tenfold/fleet";
import { createWorker } from "tenfold/queueing";

import { createAudit } from "../audit.ts";
import { openPostStore } from "../open-post-store.ts";
import { decodePost } from "../post.ts";

/** A batch takes milliseconds; a worker that died holds its posts no longer than this. */
const leaseMs = 5_000;
/** A shard that was away is tried again this soon after it is back. */
const retryCapMs = 2_000;

/**
 * Takes posts from the queue and writes them to their shard. A post may be handed out twice; its
 * id is its key, so the second write changes nothing. One worker of all also audits: every post
 * that the queue calls done must be in its shard.
 */
export const service = defineService({
  name: "worker",
  async start(context) {
    const queue = context.queue("posts");
    const store = await openPostStore(context);
    const worker = createWorker({
      queue,
      handle: async (jobs) => {
        await store.insertMany(jobs.map((job) => decodePost(job.body)));
      },
      leaseMs,
      retry: { capMs: retryCapMs },
      runtime: context.runtime,
      metrics: context.metrics,
    });
    const audit = createAudit({ context, queue, store });
    return {
      async close() {
        await audit.close();
        await worker.close();
        await store.close();
      },
    };
  },
});
