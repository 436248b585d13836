import type { Registry } from "./registry.ts";

/** What a process knows of itself; times in seconds, sizes in bytes. */
export interface ProcessProbe {
  /** Since the process began. */
  cpuSeconds(): number;
  residentBytes(): number;
  heapUsedBytes(): number;
  /** Unix time. */
  readonly startedAtSeconds: number;
  /** How much later than asked timers ran, over the last seconds. */
  eventLoopDelay(): { readonly p50: number; readonly p99: number; readonly max: number };
  /** Share of time that the event loop was busy, 0 … 1, over the last seconds. */
  eventLoopUtilisation(): number;
}

/** Puts a process's own figures into a registry, under the names that Prometheus clients use. */
export function processMetrics(registry: Registry, probe: ProcessProbe): void {
  const gauge = (name: string, help: string) => registry.gauge({ name, help });
  const cpu = registry.counter({
    name: "process_cpu_seconds_total",
    help: "CPU time that the process used, user and system, in seconds.",
  });
  const resident = gauge("process_resident_memory_bytes", "Memory in RAM, in bytes.");
  const heap = gauge("nodejs_heap_used_bytes", "JavaScript heap in use, in bytes.");
  const busy = gauge("nodejs_eventloop_utilization", "Share of time the event loop was busy.");
  const delay = registry.summary({
    name: "nodejs_eventloop_delay_seconds",
    help: "How late the event loop was over the last seconds.",
    quantiles: [0.5, 0.99, 1],
  });
  gauge("process_start_time_seconds", "When the process began, in Unix time.").set(
    probe.startedAtSeconds,
  );

  let counted = 0;
  registry.beforeRead(() => {
    const used = probe.cpuSeconds();
    cpu.add(used - counted);
    counted = Math.max(counted, used);
    resident.set(probe.residentBytes());
    heap.set(probe.heapUsedBytes());
    busy.set(probe.eventLoopUtilisation());
    const { p50, p99, max } = probe.eventLoopDelay();
    delay.set([p50, p99, max]);
  });
}
