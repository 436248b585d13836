import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

import { createMemoryCoordinator } from "../engines/memory/coordinator.ts";
import { runService } from "./run-service.ts";
import { defineService } from "./service.ts";

const memory = process.env.EXAMPLE_COORDINATOR === "memory" ? createMemoryCoordinator() : undefined;
const unreadyUntil = process.uptime() * 1_000 + Number(process.env.EXAMPLE_UNREADY_MS ?? 0);

/** A small service that the tests start as a process of its own. */
const service = defineService({
  name: "example",
  start: (context) => ({
    routes: {
      "GET /slow/:ms": async ({ params }) => {
        await sleep(Number(params.ms));
        return { status: 200, body: { waited: params.ms } };
      },
      /** Is under way until the stop has begun, and for so long after. */
      "GET /held/:ms": async ({ params }) => {
        if (!context.stopping.aborted) await once(context.stopping, "abort");
        await sleep(Number(params.ms));
        return { status: 200 };
      },
      "POST /echo": async (request) => ({ status: 200, body: await request.json() }),
      "GET /store/:name": async ({ params }) => ({
        status: 200,
        body: await context.store(params.name as string),
      }),
      "GET /session": () => ({ status: 200, body: { id: context.session().id } }),
      "GET /crash": () => {
        setImmediate(() => {
          throw new Error("nobody caught this");
        });
        return { status: 200 };
      },
    },
    notReady: () =>
      process.uptime() * 1_000 < unreadyUntil ? "the example is not ready" : undefined,
  }),
});

await runService(service, process.env, memory && { connectCoordinator: () => memory });
