import type { LatencyEstimate } from "./latency-estimate.ts";

/** What the hosts of a pool are compared with, and what they share their probes by. */
export interface PoolPace {
  /** Of successful calls over all hosts. */
  readonly mean: LatencyEstimate;
  /** Answers so far. */
  answers: number;
  /** At which of them the last probe went out … */
  probedAt: number;
  /** … and when. */
  probedAtMs: number;
}

/** A slow host is asked again when the pool has given so many answers … */
const answersMax = 1_000;
/** … or so many, if that took long: it must be found soon that it is well again. */
const answersMin = 500;
const waitMs = 2_500;
/** Not sooner, however many there are … */
const waitMsMin = 250;
/** … and not later, however few. */
const waitMsMax = 120_000;

/** An answer this many times as slow as the pool's mean is a quick one … */
const quickRatio = 2;
/** … and so many in a row show that the host is well again: one alone is chance. */
const quickMin = 3;

/**
 * When a host that gets no calls, because it was slow, is asked again. At most one in five hundred
 * calls of the pool is such a probe, whatever the number of slow hosts, so that probes do not show
 * in the p99; a pool with fewer than that in two minutes sends one in two minutes. A quick answer
 * is followed up at once.
 */
export class SlowProbes {
  readonly #pool: PoolPace;
  #at = 0;
  #answers = 0;
  #quick = 0;
  #asked = false;

  constructor(pool: PoolPace) {
    this.#pool = pool;
  }

  isDue(now: number): boolean {
    if (this.#quick > 0) return !this.#asked || this.#rested(now);
    return this.#rested(now) && this.#poolMayProbe(now);
  }

  /** A call goes out; from here on, since it may hang, or be one of a stream that never ends. */
  began(now: number): void {
    if (!this.isDue(now)) return;
    this.#asked = true;
    this.#pool.probedAt = this.#pool.answers;
    this.#pool.probedAtMs = now;
    this.#seen(now);
  }

  /** True when an answer shows that the host is as well as the others. */
  answered(now: number, latencyMs: number): boolean {
    const isQuick = latencyMs < quickRatio * Math.max(1, this.#pool.mean.estimate(now));
    this.#quick = isQuick && (this.#asked || this.#quick > 0) ? this.#quick + 1 : 0;
    this.#asked = false;
    this.#seen(now);
    if (this.#quick < quickMin) return false;
    this.#quick = 0;
    return true;
  }

  /** It took longer than its caller waited. */
  unanswered(now: number): void {
    this.#quick = 0;
    this.#asked = false;
    this.#seen(now);
  }

  #seen(now: number): void {
    this.#at = now;
    this.#answers = this.#pool.answers;
  }

  #rested(now: number): boolean {
    const ms = now - this.#at;
    if (ms >= waitMsMax) return true;
    const answers = this.#pool.answers - this.#answers;
    if (answers >= answersMax) return ms >= waitMsMin;
    return answers >= answersMin && ms >= waitMs;
  }

  #poolMayProbe(now: number): boolean {
    if (now - this.#pool.probedAtMs >= waitMsMax) return true;
    return this.#pool.answers - this.#pool.probedAt >= answersMin;
  }
}
