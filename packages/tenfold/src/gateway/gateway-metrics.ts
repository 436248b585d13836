import type { Registry } from "../telemetry/registry.ts";
import type { Route } from "./route-table.ts";

export interface GatewayMetrics {
  /** @param status of the answer; 0 when the client went away before there was one. */
  answered(route: string, method: string, status: number, tookMs: number): void;
  /** The client got a 5xx, or an answer that was broken off. */
  failed(route: string): void;
}

const knownMethods: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
]);

/** @param held how many requests wait for an endpoint now. */
export function gatewayMetrics(
  registry: Registry | undefined,
  routes: readonly Route[],
  held: () => number,
): GatewayMetrics {
  if (registry === undefined) return { answered() {}, failed() {} };
  const requests = registry.counter({
    name: "tenfold_gateway_requests_total",
    help: "Requests of clients by route, method and class of the answer's status.",
    labels: ["route", "method", "status"],
  });
  const failures = registry.counter({
    name: "tenfold_gateway_failed_total",
    help: "Requests that ended with a 5xx or a broken answer.",
    labels: ["route"],
  });
  const durations = registry.histogram({
    name: "tenfold_gateway_request_duration_seconds",
    help: "Time from the head of a request to the end of its answer.",
    labels: ["route"],
  });
  const holding = registry.gauge({
    name: "tenfold_gateway_held",
    help: "Requests that wait until an instance answers.",
  });
  // From the first reading on, a zero that is shown and not missing.
  for (const { path } of routes) failures.with({ route: path });
  registry.beforeRead(() => holding.set(held()));
  return {
    answered(route, method, status, tookMs) {
      const statusClass = status === 0 ? "gone" : `${Math.floor(status / 100)}xx`;
      const known = knownMethods.has(method) ? method : "other";
      requests.with({ route, method: known, status: statusClass }).add();
      durations.with({ route }).observe(tookMs / 1_000);
    },
    failed: (route) => failures.with({ route }).add(),
  };
}
