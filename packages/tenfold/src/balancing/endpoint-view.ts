import type { Candidate } from "./candidate.ts";
import type { HostState } from "./host.ts";

/** What a choice among endpoints was made by, for those who ask why. */
export interface EndpointView {
  readonly id: string;
  /** Relative to its peers, 1 on average; less while it starts slowly. */
  readonly weight: number;
  /** Calls under way. */
  readonly pending: number;
  /**
   * What one more call would meet there, in the unit of the measure: the least of those that were
   * drawn is taken. 0: it is asked with the next call that comes by. Infinity: not before another
   * call has shown something of it.
   */
  readonly load: number;
  /** Undefined where nothing was measured. */
  readonly latencyMs: number | undefined;
  /** In a row; 0 is an endpoint in good standing. */
  readonly failures: number;
  readonly ejected: boolean;
  /** When it is next found out whether it is well; 0 for one in good standing. */
  readonly probeInMs: number;
}

export function endpointView<E extends Candidate>(host: HostState<E>, now: number): EndpointView {
  const { failures, ejected, probeInMs } = host.health.save(now);
  return {
    id: host.id,
    weight: host.weightAt(now),
    pending: host.pending,
    load: host.load(now),
    latencyMs: host.meter.save(now),
    failures,
    ejected,
    probeInMs: failures > 0 ? probeInMs : 0,
  };
}
