import { setTimeout as pause } from "node:timers/promises";

import type { Arrival } from "tenfold/simulation";

/** One call as its caller saw it. */
export interface SeenCall {
  /** Since the beginning. */
  readonly atMs: number;
  readonly tookMs: number;
  readonly ok: boolean;
  /** What the answer said of who gave it. */
  readonly by: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Makes each call at its time, whatever became of those before; an error is a failed call. */
export async function makeCalls(
  arrivals: Iterable<Arrival>,
  call: (arrival: Arrival) => Promise<Answer>,
  since: () => number,
  signal: AbortSignal,
): Promise<readonly SeenCall[]> {
  const seen: SeenCall[] = [];
  const underWay = new Set<Promise<void>>();
  const one = async (arrival: Arrival): Promise<void> => {
    const atMs = since();
    const { status, text } = await call(arrival).catch(() => ({ status: 0, text: "" }));
    seen.push({ atMs, tookMs: since() - atMs, ok: status === 200, by: text });
  };
  for (const arrival of arrivals) {
    const waitMs = arrival.atMs - since();
    if (waitMs > 1) await pause(waitMs, undefined, { signal });
    const made = one(arrival);
    underWay.add(made);
    void made.finally(() => underWay.delete(made));
  }
  await Promise.all(underWay);
  return seen;
}

/** Those that began in a span, in seconds. */
export function callsWithin(
  calls: readonly SeenCall[],
  [from, to]: readonly [fromSeconds: number, toSeconds: number],
): readonly SeenCall[] {
  return calls.filter(({ atMs }) => atMs >= from * 1_000 && atMs < to * 1_000);
}

/** Milliseconds that so large a share of the calls that went well stayed below. */
export function latencyOf(calls: readonly SeenCall[], share: number): number {
  return quantile(
    calls.filter(({ ok }) => ok).map(({ tookMs }) => tookMs),
    share,
  );
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}
