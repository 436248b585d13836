// One tier of a chain, in a process of its own: forked with TIER in its environment.
import { createServiceClient, staticResolver } from "tenfold/discovery";
import { createHttpService, type ServiceRequest } from "tenfold/fleet";
import { systemClock } from "tenfold/runtime";
import { createRegistry } from "tenfold/telemetry";

import type { Fault, TierSettings } from "./tiers.ts";

const settings = JSON.parse(process.env.TIER ?? "") as TierSettings;
const { next, policy, leafMs, slowMs, tryTimeoutMs } = settings;
let fault: Fault = "none";
let attempts = 0;

const client =
  next === undefined || policy === "naive"
    ? undefined
    : createServiceClient("next", {
        resolver: staticResolver({ next: [{ address: "127.0.0.1", port: next }] }),
        policy: { ...policy, tryTimeoutMs },
      });

/** What many write: three tries with a time-out each, whoever asks. */
async function naive(port: number): Promise<number> {
  let status = 503;
  for (let attempt = 1; attempt <= 3 && status !== 200; attempt++) {
    const signal = AbortSignal.timeout(tryTimeoutMs);
    const asked = fetch(`http://127.0.0.1:${port}/work`, { signal });
    status = await asked.then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => 503,
    );
  }
  return status;
}

async function work({ signal, incoming }: ServiceRequest): Promise<number> {
  attempts++;
  if (next === undefined) {
    if (fault === "dead") return 503;
    // What a caller gave up is worked on nevertheless, as a database would.
    await systemClock.sleep(fault === "slow" ? slowMs : leafMs);
    return 200;
  }
  if (client === undefined) return await naive(next);
  const reply = await client.request({ method: "GET", path: "/work", signal, incoming });
  if (reply.status >= 500) throw Object.assign(unavailable(reply.status), { cause: reply });
  return reply.status;
}

/** An error that the service answers with, as an application has them. */
function unavailable(status: number): Error {
  const error = new Error(`the next tier answered ${status}`);
  return Object.assign(error, { status: 503, code: "NEXT_UNAVAILABLE" });
}

const service = await createHttpService({
  listen: { host: "127.0.0.1", port: 0 },
  metrics: createRegistry(),
  limits: { requestsMax: 100_000 },
  routes: {
    "GET /work": async (request) => ({ status: await work(request) }),
    // What the tier can do by itself.
    "GET /local": () => ({ status: 200 }),
  },
});
process.on("message", (message) => {
  if (message === "attempts") process.send?.({ attempts });
  else fault = message as Fault;
});
process.on("disconnect", () => process.exit());
process.send?.({ port: service.port });
