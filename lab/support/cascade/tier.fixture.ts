// An instance of one tier of a chain, in a process of its own: forked with TIER in its environment.
import { createServiceClient, type ServiceClient, staticResolver } from "tenfold/discovery";
import { createHttpService, type ServiceRequest } from "tenfold/fleet";
import { callPolicyDefaults } from "tenfold/resilience";
import { systemClock } from "tenfold/runtime";
import { createRegistry } from "tenfold/telemetry";

import type { Fault, TierSettings } from "./tiers.ts";

const settings = JSON.parse(process.env.TIER ?? "") as TierSettings;
const { next, policy, chainSignal, leafMs, slowMs } = settings;
let fault: Fault = "none";
let attempts = 0;

const endpoints = next.map((port) => ({ address: "127.0.0.1", port }));
const client =
  next.length === 0 || policy === "naive"
    ? undefined
    : createServiceClient("next", { resolver: staticResolver({ next: endpoints }), policy });

/** What many write: three tries with a time-out each, whoever asks; the next instance each time. */
async function naive(): Promise<number> {
  let status = 503;
  for (let attempt = 1; attempt <= 3 && status !== 200; attempt++) {
    const port = next[(attempts + attempt) % next.length];
    const signal = AbortSignal.timeout(callPolicyDefaults.tryTimeoutMs);
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

async function work(request: ServiceRequest): Promise<number> {
  attempts++;
  if (next.length === 0) {
    if (fault === "dead") return 503;
    // What a caller gave up is worked on nevertheless, as a database would.
    await systemClock.sleep(fault === "slow" ? slowMs : leafMs);
    return 200;
  }
  if (client === undefined) return await naive();
  return await throughClient(client, request);
}

async function throughClient(
  client: ServiceClient,
  { signal, incoming }: ServiceRequest,
): Promise<number> {
  const call = { method: "GET", path: "/work", signal } as const;
  if (chainSignal) {
    const reply = await client.request({ ...call, incoming });
    if (reply.status >= 500) throw Object.assign(unavailable(), { cause: reply });
    return reply.status;
  }
  // The deadline travels as ever; nothing says who repeats.
  const first = { ...incoming, attempt: 1, mayRetry: true };
  const asked = client.request({ ...call, incoming: first });
  const status = await asked.then(
    (reply) => reply.status,
    () => 503,
  );
  if (status >= 500) throw unavailable();
  return status;
}

/** An error that the service answers with, as an application has them. */
function unavailable(): Error {
  const error = new Error("the next tier does not serve");
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
