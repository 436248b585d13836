import { type ParsedSeries, parseExposition } from "tenfold/telemetry";

export type Metrics = ReadonlyMap<string, readonly ParsedSeries[]>;

/** The metrics of one process of a fleet, asked at its admin port. */
export async function readMetrics(
  adminPort: number,
  token: string,
  address = "127.0.0.1",
): Promise<Metrics> {
  const response = await fetch(`http://${address}:${adminPort}/metrics`, {
    headers: { authorization: `Bearer ${token}` },
  });
  if (!response.ok) throw new Error(`/metrics: ${response.status} ${await response.text()}`);
  return parseExposition(await response.text());
}

/** How many requests of a route it has served, whatever came of them. */
export function servedRequests(metrics: Metrics, route: string): number {
  return (metrics.get("tenfold_http_requests_total") ?? [])
    .filter(({ labels }) => labels.route === route)
    .reduce((sum, { value }) => sum + value, 0);
}
