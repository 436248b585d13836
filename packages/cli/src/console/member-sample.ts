import type { parseExposition } from "tenfold/telemetry";

import { metricNames } from "./metric-names.ts";

type Exposition = ReturnType<typeof parseExposition>;

/** What the console wants of one `/metrics` answer. */
export interface MemberSample {
  /** When its process began, in Unix seconds: differs for every life of an instance. */
  readonly bornSeconds: number | undefined;
  /** Does it measure calls that it serves? */
  readonly serves: boolean;
  /**
   * Counters that only grow while the process lives: `requests`, `failures`, `failed`,
   * `cpuSeconds`, `jobs`, `calls:SERVICE`, and `bucket:BOUND` (calls at most that many seconds
   * long).
   */
  readonly counters: ReadonlyMap<string, number>;
  /** Counters that their owner keeps over restarts: `accepted`, `done`. */
  readonly durableCounters: ReadonlyMap<string, number>;
  readonly slowestMs: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly eventLoopMs: number | undefined;
  readonly queue: QueueSample | undefined;
  readonly audit: { readonly checked: number; readonly missing: number } | undefined;
}

export interface QueueSample {
  readonly ready: number;
  readonly leased: number;
  readonly delayed: number;
  readonly dead: number;
  readonly accepted: number;
  readonly done: number;
  readonly oldestSeconds: number;
}

export const bucketPrefix = "bucket:";
export const callsPrefix = "calls:";

export function memberSample(exposition: Exposition): MemberSample {
  const first = (name: string): number | undefined => exposition.get(name)?.[0]?.value;
  // A gateway shows its failures from the first reading on, its requests from the first request on.
  const isGateway = exposition.has(metricNames.gateway.failed);
  const served = isGateway ? metricNames.gateway : metricNames.service;
  const maxima = exposition.get(`${served.duration}_max`)?.map(({ value }) => value) ?? [];
  // 0: there was no call in the last minute.
  const slowest = Math.max(0, ...maxima);
  const eventLoop = exposition
    .get(metricNames.process.eventLoop)
    ?.find(({ labels }) => labels.quantile === "0.99")?.value;
  const queue = queueSample(first);
  return {
    bornSeconds: first(metricNames.process.born),
    serves: isGateway || exposition.has(served.requests),
    durableCounters: new Map(
      queue === undefined
        ? []
        : [
            ["accepted", queue.accepted],
            ["done", queue.done],
          ],
    ),
    counters: counters(exposition, served),
    slowestMs: slowest === 0 ? undefined : slowest * 1_000,
    memoryBytes: first(metricNames.process.memory),
    eventLoopMs: eventLoop === undefined ? undefined : eventLoop * 1_000,
    queue,
    audit: auditSample(first),
  };
}

function counters(
  exposition: Exposition,
  served: { readonly requests: string; readonly duration: string },
): Map<string, number> {
  const sums = new Map<string, number>([
    ["requests", 0],
    ["failures", 0],
  ]);
  const add = (name: string, value: number): void => {
    sums.set(name, (sums.get(name) ?? 0) + value);
  };
  for (const { labels, value } of exposition.get(served.requests) ?? []) {
    add("requests", value);
    if (labels.status?.startsWith("5")) add("failures", value);
  }
  for (const { labels, value } of exposition.get(`${served.duration}_bucket`) ?? []) {
    const bound = labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le);
    if (!Number.isNaN(bound)) add(bucketPrefix + bound, value);
  }
  for (const { value } of exposition.get(metricNames.gateway.failed) ?? []) add("failed", value);
  for (const { value } of exposition.get(metricNames.process.cpu) ?? []) add("cpuSeconds", value);
  for (const { value } of exposition.get(metricNames.worker.done) ?? []) add("jobs", value);
  for (const { labels, value } of exposition.get(metricNames.client.tries) ?? []) {
    if (labels.service !== undefined) add(callsPrefix + labels.service, value);
  }
  return sums;
}

function queueSample(first: (name: string) => number | undefined): QueueSample | undefined {
  const names = metricNames.queue;
  const accepted = first(names.accepted);
  if (accepted === undefined) return undefined;
  return {
    accepted,
    done: first(names.done) ?? 0,
    dead: first(names.dead) ?? 0,
    ready: first(names.ready) ?? 0,
    leased: first(names.leased) ?? 0,
    delayed: first(names.delayed) ?? 0,
    oldestSeconds: first(names.oldest) ?? 0,
  };
}

function auditSample(first: (name: string) => number | undefined): MemberSample["audit"] {
  const missing = first(metricNames.audit.missing);
  if (missing === undefined) return undefined;
  return { missing, checked: first(metricNames.audit.checked) ?? 0 };
}
