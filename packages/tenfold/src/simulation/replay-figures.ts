import type { Replay, ReplayedCall } from "./replay.ts";

/** What a replay says of a span of time. */
export interface ReplayFigures {
  readonly calls: number;
  /** Share of the calls that ended badly. */
  readonly failed: number;
  readonly attemptsPerCall: number;
  /** Milliseconds until the end, of the calls that went well. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of the attempts that went to a server. */
  share(server: string): number;
}

/** @param toMs of arrivals, exclusive. */
export function replayFigures(
  { calls, picks }: Replay,
  fromMs = 0,
  toMs: number = Number.POSITIVE_INFINITY,
): ReplayFigures {
  const within = (atMs: number): boolean => atMs >= fromMs && atMs < toMs;
  const seen = calls.filter(({ arrival }) => within(arrival.atMs));
  const latencies = Float64Array.from(
    seen.filter(({ ok }) => ok),
    latencyOf,
  ).sort();
  const perServer = new Map<string, number>();
  let attempts = 0;
  for (const { atMs, server } of picks) {
    if (!within(atMs)) continue;
    attempts++;
    perServer.set(server, (perServer.get(server) ?? 0) + 1);
  }
  return {
    calls: seen.length,
    failed: seen.filter(({ ok }) => !ok).length / seen.length,
    attemptsPerCall: seen.reduce((sum, call) => sum + call.attempts, 0) / seen.length,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    share: (server) => (perServer.get(server) ?? 0) / attempts,
  };
}

function latencyOf({ arrival, endMs }: ReplayedCall): number {
  return endMs - arrival.atMs;
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}
