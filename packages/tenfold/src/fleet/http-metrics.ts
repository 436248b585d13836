import type { Registry } from "../telemetry/registry.ts";

export interface ServedRequest {
  /** The route's pattern, or "none". */
  readonly route: string;
  readonly method: string;
  /** 499 when the caller went away before the answer was sent. */
  readonly status: number;
  readonly seconds: number;
}

const knownMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Rate, errors and duration of what a server serves. */
export function httpMetrics(metrics: Registry): {
  begin(): void;
  end(request: ServedRequest): void;
} {
  const requests = metrics.counter({
    name: "tenfold_http_requests_total",
    help: "Requests served, by route pattern; 499 is a caller that went away.",
    labels: ["route", "method", "status"],
  });
  const duration = metrics.histogram({
    name: "tenfold_http_request_duration_seconds",
    help: "From a request's headers to the end of its answer, without what a long poll waited.",
    labels: ["route"],
  });
  const underWay = metrics.gauge({
    name: "tenfold_http_requests_in_flight",
    help: "Requests that are being served.",
  });
  return {
    begin: () => underWay.add(1),
    end({ route, method, status, seconds }) {
      underWay.add(-1);
      const known = knownMethods.has(method) ? method : "other";
      requests.with({ route, method: known, status: String(status) }).add();
      duration.with({ route }).observe(seconds);
    },
  };
}
