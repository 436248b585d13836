// A host: servers that work, slowly, or fail, as told; started by `work-hosts.ts`.
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

/** `well`; ten times slower; or a 503 at once. */
export type Behaviour = "well" | "slow" | "failing";

export interface WorkServerSettings {
  /** Servers, each with places and a queue of its own. */
  readonly servers: number;
  /** Requests that a server works on at once. */
  readonly places: number;
}

export type WorkOrder = { readonly behave: Behaviour } | { readonly report: true };

/** Requests of each server by the tenth of a second (wall clock) in which they came. */
export type WorkCounts = readonly (readonly (readonly [tenth: number, requests: number])[])[];

const slowFactor = 10;
const settings = JSON.parse(process.env.WORK_SERVER ?? "") as WorkServerSettings;
let behaviour: Behaviour = "well";

interface Worker {
  readonly listener: RequestListener;
  readonly counts: Map<number, number>;
}

/** Answers `/work?ms=…` after so much work, and `/health`. */
function worker(): Worker {
  const counts = new Map<number, number>();
  const waiting: (() => void)[] = [];
  let busy = 0;
  const work = (ms: number, done: () => void): void => {
    if (busy === settings.places) return void waiting.push(() => work(ms, done));
    busy += 1;
    setTimeout(
      () => {
        busy -= 1;
        done();
        waiting.shift()?.();
      },
      behaviour === "slow" ? ms * slowFactor : ms,
    );
  };
  return {
    counts,
    listener(request, response) {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://work");
      const answer = (status: number): void => void response.writeHead(status).end("done\n");
      if (pathname !== "/health") {
        const tenth = Math.floor(Date.now() / 100);
        counts.set(tenth, (counts.get(tenth) ?? 0) + 1);
      }
      if (behaviour === "failing") return answer(503);
      if (pathname === "/health") return answer(200);
      work(Number(searchParams.get("ms")), () => answer(200));
    },
  };
}

const workers = Array.from({ length: settings.servers }, worker);
const ports = workers.map(async ({ listener }) => {
  const server = createServer({ keepAliveTimeout: 120_000 }, listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
});
process.on("message", (order: WorkOrder) => {
  if ("behave" in order) behaviour = order.behave;
  else process.send?.(workers.map(({ counts }) => [...counts]) satisfies WorkCounts);
});
process.on("disconnect", () => process.exit(0));
process.send?.(await Promise.all(ports));
