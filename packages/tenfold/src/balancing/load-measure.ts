/**
 * success and failure: what an attempt showed of the host. cancelled: the caller went away after
 * `latencyMs`; that it took so long is known, not whether it would have gone well.
 */
export type Outcome = "success" | "failure" | "cancelled";

/** What is measured of one host. */
export interface HostMeter {
  /**
   * What one more call would meet there; less is better. Any unit, as long as the hosts of a pool
   * compare. 0 for a host that is to be asked next, as one of which nothing is known, and Infinity
   * while that one is being tried.
   *
   * @param queued calls under way there, for a host of average weight.
   */
  load(now: number, queued: number): number;
  /**
   * The same with nothing under way, be the host to be asked next or not; 0 when nothing is known.
   * Without it `load(now, 0)` stands for it.
   */
  idleLoad?(now: number): number;
  /**
   * A call goes out to it. Returns how many milliseconds it is worth waiting there if the call can
   * go elsewhere after that; Infinity unless it is one that finds out whether a slow host is well.
   */
  began?(now: number): number;
  /**
   * Takes in how an attempt went.
   *
   * @param strain 0 … 1: how far failures in a row have come towards putting the host out.
   */
  record(now: number, outcome: Outcome, latencyMs: number, strain: number): void;
  /** The latency in milliseconds to start from elsewhere; undefined when none is known. */
  save(now: number): number | undefined;
  restore(now: number, latencyMs: number): void;
}

/** What is measured of the hosts of one pool. */
export interface PoolMeter {
  host(): HostMeter;
  /** A call is about to be placed; may it leave a host that is slow for another one? */
  placing?(mayLeave: boolean): void;
}

/** What "load" means; each pool gets a meter of its own. Apart from how one picks by it. */
export type LoadMeasure = () => PoolMeter;
