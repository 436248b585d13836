import { expect, it } from "vitest";

import { processMetrics } from "./process-metrics.ts";
import { createRegistry } from "./registry.ts";

it("shows the probe's figures of the moment it is read", () => {
  const metrics = createRegistry();
  let cpu = 1.5;
  processMetrics(metrics, {
    cpuSeconds: () => cpu,
    residentBytes: () => 2_000,
    heapUsedBytes: () => 1_000,
    startedAtSeconds: 1_700_000_000,
    eventLoopDelay: () => ({ p50: 0.001, p99: 0.02, max: 0.3 }),
    eventLoopUtilisation: () => 0.25,
  });
  const value = (name: string): (number | undefined)[] =>
    metrics
      .read()
      .filter((family) => family.name === name)
      .flatMap(({ samples }) => samples.map((sample) => sample.value));
  expect(value("process_cpu_seconds_total")).toEqual([1.5]);
  cpu = 4;
  expect(value("process_cpu_seconds_total")).toEqual([4]);
  expect(value("nodejs_eventloop_delay_seconds")).toEqual([0.001, 0.02, 0.3]);
  expect(value("process_start_time_seconds")).toEqual([1_700_000_000]);
});
