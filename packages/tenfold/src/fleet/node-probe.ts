import { monitorEventLoopDelay, performance } from "node:perf_hooks";

import type { Clock } from "../runtime/clock.ts";
import type { ProcessProbe } from "../telemetry/process-metrics.ts";

const resolutionMs = 10;
const windowMs = 5_000;

type Delay = ReturnType<ProcessProbe["eventLoopDelay"]>;

/**
 * What this Node process knows of itself. The figures of the event loop are those of the last five
 * seconds and turn with time, not with scrapes, so that two readers see the same.
 */
export function nodeProbe(clock: Pick<Clock, "setTimer" | "wallNow">): ProcessProbe {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  let before: Delay | undefined;
  let busySince = performance.eventLoopUtilization();
  let busyBefore = busySince;

  const turn = (): void => {
    before = delayOf(histogram);
    histogram.reset();
    busyBefore = busySince;
    busySince = performance.eventLoopUtilization();
    clock.setTimer(windowMs, turn, { keepAlive: false });
  };
  clock.setTimer(windowMs, turn, { keepAlive: false });

  return {
    startedAtSeconds: clock.wallNow() / 1_000 - process.uptime(),
    cpuSeconds() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000_000;
    },
    residentBytes: () => process.memoryUsage.rss(),
    heapUsedBytes: () => process.memoryUsage().heapUsed,
    eventLoopDelay() {
      const now = delayOf(histogram);
      return before === undefined ? now : { ...before, max: Math.max(before.max, now.max) };
    },
    eventLoopUtilisation: () => performance.eventLoopUtilization(busyBefore).utilization,
  };
}

/** The monitor counts its own period as delay; an empty one reads NaN or nonsense. */
function delayOf(histogram: ReturnType<typeof monitorEventLoopDelay>): Delay {
  if (histogram.count === 0) return { p50: 0, p99: 0, max: 0 };
  const seconds = (nanoseconds: number): number =>
    Math.max(0, nanoseconds / 1e9 - resolutionMs / 1_000);
  return {
    p50: seconds(histogram.percentile(50)),
    p99: seconds(histogram.percentile(99)),
    max: seconds(histogram.max),
  };
}
