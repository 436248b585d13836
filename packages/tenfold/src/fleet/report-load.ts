import type { Registrar } from "../discovery/registrar.ts";
import type { Clock } from "../runtime/clock.ts";
import type { ProcessProbe } from "../telemetry/process-metrics.ts";

const everyMs = 1_000;

export interface ReportLoadOptions {
  readonly registrar: Pick<Registrar, "update">;
  readonly probe: Pick<ProcessProbe, "eventLoopUtilisation">;
  /** Requests under way. */
  readonly requests: () => number;
  readonly clock: Pick<Clock, "setTimer">;
  readonly signal: AbortSignal;
}

/** Tells the registrar how busy this process is; what of that is worth a write is its decision. */
export function reportLoad(options: ReportLoadOptions): void {
  const { registrar, probe, requests, clock, signal } = options;
  const report = (): void => {
    if (signal.aborted) return;
    const share = Math.min(1, Math.max(0, probe.eventLoopUtilisation()));
    const utilisation = Math.round(share * 100) / 100;
    registrar.update({ load: { utilisation, requests: requests() } });
    clock.setTimer(everyMs, report, { keepAlive: false });
  };
  clock.setTimer(everyMs, report, { keepAlive: false });
}
