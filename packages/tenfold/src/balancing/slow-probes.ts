import type { LatencyEstimate } from "./latency-estimate.ts";

/** What the hosts of a pool are compared with, and what they share their probes by. */
export interface PoolPace {
  /** Of successful calls over all hosts. */
  readonly mean: LatencyEstimate;
  /** The call that is about to be placed can leave a slow host for another one. */
  mayLeave: boolean;
  /** Answers so far. */
  answers: number;
  /** At which of them the last probe went out … */
  probedAt: number;
  /** … and when. */
  probedAtMs: number;
  /** Whose answer was the last one … */
  lastOf?: unknown;
  /** … and was it late? */
  lastLate?: boolean;
}

/** A slow host is asked again when the pool has given so many answers … */
const answersMax = 500;
/** … or so many, if that took long: it must be found soon that it is well again. */
const answersMin = 250;
const waitMs = 1_250;
/** A call that has to wait for the answer would show in the p99: so many times as rarely. */
const waitingRatio = 2;
/** Not sooner, however many answers there are … */
const waitMsMin = 250;
/** … and not later, however few. */
const waitMsMax = 120_000;

/** An answer within so many times the pool's mean is a quick one, any other is late. */
const quickRatio = 2;
/** So many quick ones in a row show that a slow host is well again: one alone is chance. */
const quickMin = 4;
/** So many more late ones than quick ones show that a host is slow indeed. */
const lateMin = 6;
/** After so many answers without one of another host, there is none to be slower than. */
const aloneMin = 100;

/**
 * Whether a host is slow by itself, and when one that was is asked again. At most one in 250 calls
 * of the pool is such a probe, whatever the number of slow hosts, and one in 500 of those that have
 * to wait for the answer, so that probes do not show in the p99; a pool with fewer calls than that
 * in two minutes sends one in two minutes. A quick answer is followed up at once, uncounted: of
 * each row of them only the last one may be late.
 */
export class SlowProbes {
  readonly #pool: PoolPace;
  #at = 0;
  #answers = 0;
  /** Quick answers in a row since it was asked. */
  #quick = 0;
  /** By how many there were more late answers than quick ones: 0 … `lateMin`. */
  #late = 0;
  /** The last answer of another host was late. */
  #othersLate = false;
  /** Answers since that one: 0 … `aloneMin`. */
  #inRow = 0;
  #asked = false;

  constructor(pool: PoolPace) {
    this.#pool = pool;
  }

  /** Late again and again, which is no chance. */
  get isLate(): boolean {
    return this.#late === lateMin;
  }

  /** … while others are not. */
  get isLateAlone(): boolean {
    return this.isLate && !this.#othersLate && this.#inRow < aloneMin;
  }

  isDue(now: number): boolean {
    if (this.#quick > 0 && !this.#asked) return true;
    return this.#rested(now) && this.#poolMayProbe(now);
  }

  /**
   * A call goes out; from here on, since it may hang, or be one of a stream that never ends.
   * Returns in how many milliseconds an answer is a quick one, if the call is a probe, or Infinity.
   */
  began(now: number): number {
    if (!this.isDue(now)) return Number.POSITIVE_INFINITY;
    this.#asked = true;
    this.#pool.probedAt = this.#pool.answers;
    this.#pool.probedAtMs = now;
    this.#seen(now);
    return this.#quickMs(now);
  }

  /** Takes in an answer; true when it shows that the host, which was slow, is well again. */
  answered(now: number, latencyMs: number, isSlow: boolean): boolean {
    const isQuick = this.#isQuick(now, latencyMs);
    this.#count(isQuick);
    if (!isSlow) {
      this.#forget();
      return false;
    }
    this.#quick = isQuick && (this.#asked || this.#quick > 0) ? this.#quick + 1 : 0;
    this.#asked = false;
    this.#seen(now);
    if (this.#quick < quickMin) return false;
    this.#quick = 0;
    // All would go there now: one late answer more, and it is late again.
    this.#late = lateMin - 1;
    return true;
  }

  /** Its caller went away after so long. */
  unanswered(now: number, latencyMs: number): void {
    const isQuick = this.#isQuick(now, latencyMs);
    if (!isQuick) this.#count(false);
    // That a caller went away soon says nothing: many who do must not put off the next probe.
    if (!isQuick || this.#asked) this.#seen(now);
    this.#forget();
  }

  /** It is for ejection to say what that means; a row of quick answers does not go on over it. */
  failed(): void {
    this.#forget();
  }

  #forget(): void {
    this.#quick = 0;
    this.#asked = false;
  }

  #count(isQuick: boolean): void {
    const pool = this.#pool;
    const isInRow = pool.lastOf === this;
    if (!isInRow) this.#othersLate = pool.lastLate === true;
    this.#inRow = isInRow ? Math.min(aloneMin, this.#inRow + 1) : 0;
    pool.lastOf = this;
    pool.lastLate = !isQuick;
    if (isQuick) this.#late = Math.max(0, this.#late - 1);
    // A pause of the caller's own makes all that was under way late at once.
    else if (!this.#othersLate) this.#late = Math.min(lateMin, this.#late + 1);
  }

  #isQuick(now: number, latencyMs: number): boolean {
    // Without a mean there is nothing to be late by.
    return !(latencyMs >= this.#quickMs(now));
  }

  #quickMs(now: number): number {
    return quickRatio * Math.max(1, this.#pool.mean.estimate(now));
  }

  #seen(now: number): void {
    this.#at = now;
    this.#answers = this.#pool.answers;
  }

  #rested(now: number): boolean {
    const ms = now - this.#at;
    if (ms >= waitMsMax) return true;
    const rarely = this.#rarely;
    const answers = this.#pool.answers - this.#answers;
    if (answers >= answersMax * rarely) return ms >= waitMsMin;
    return answers >= answersMin * rarely && ms >= waitMs * rarely;
  }

  #poolMayProbe(now: number): boolean {
    if (now - this.#pool.probedAtMs >= waitMsMax) return true;
    return this.#pool.answers - this.#pool.probedAt >= answersMin * this.#rarely;
  }

  get #rarely(): number {
    return this.#pool.mayLeave ? 1 : waitingRatio;
  }
}
