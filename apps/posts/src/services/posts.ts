import { createHmac } from "node:crypto";

import { defineService } from "tenfold/fleet";

import { cursorCodec } from "../cursor.ts";
import { postsSettings } from "../live-settings.ts";
import { openPostStore } from "../open-post-store.ts";
import { scrapClient } from "../post-previews.ts";
import { createPostReader } from "../post-reader.ts";
import { postRoutes } from "../post-routes.ts";
import { createPostWriter } from "../post-writer.ts";

/** Writes posts, lists a user's posts newest first, and reads one. Holds no state of its own. */
export const service = defineService({
  name: "posts",
  async start(context) {
    const { instance, runtime, metrics, token = "" } = context;
    const [settings, store] = await Promise.all([
      context.liveSettings(postsSettings),
      openPostStore(context),
    ]);
    const queue = context.queue("posts");
    // Every instance must accept the cursors of the others: the key comes from what all have.
    const cursors = cursorCodec(createHmac("sha256", token).update("cursors").digest("hex"));
    const reader = createPostReader({ queue, store, clock: runtime.clock });
    const [guid, scrap] = [context.client("guid"), context.client("scrap", scrapClient)];
    const writer = createPostWriter({ queue, guid, scrap, runtime, metrics, settings });
    return {
      routes: postRoutes({ reader, writer, store, cursors, instance: instance.name, settings }),
      close: () => store.close(),
    };
  },
});
