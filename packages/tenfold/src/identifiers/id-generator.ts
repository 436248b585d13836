import { isTenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { type CountingText, decimalText, shortText } from "./id-text.ts";
import { type IdLayout, type LayoutField, lowPart } from "./layout.ts";
import { noTick, type TickOptions, type TickRule, tickRule } from "./next-tick.ts";

export interface IdGeneratorOptions extends TickOptions {
  /** A value for every field of the layout but time and sequence: who generates. */
  readonly fields?: Readonly<Record<string, number>>;
}

/** Consecutive ids: `first`, `first + 1`, … `count` of them. */
export interface IdRun {
  readonly first: bigint;
  readonly count: number;
}

/** What all generators tell about themselves. */
export interface TimedGenerator {
  /** The time of the last id in wall-clock milliseconds; before the first one `afterMs`. */
  readonly lastMs: number | undefined;
  /** How many ids it made whose time was ahead of the clock. */
  readonly borrowed: number;
}

export interface IdGenerator extends TimedGenerator {
  /**
   * The next id, larger than every id before it, whatever the clock does: when the clock stands
   * still or goes back the generator's own time goes on, one step for each full sequence.
   *
   * @param wallMs the wall clock's milliseconds, now.
   * @param beforeMs the id's time must be before this; default no such bound.
   * @throws TENFOLD_IDENTIFIERS_AHEAD (retryable) when the id would be more than `aheadMsMax`
   *   ahead of the clock, or at `beforeMs`; the state is as before.
   * @throws TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE before the epoch and at the end of its bits.
   */
  next(wallMs: number, beforeMs?: number): bigint;
  /** The next id as decimal text. Throws as `next` does. */
  nextDecimal(wallMs: number, beforeMs?: number): string;
  /** The next id in its short form, see `formatShortId`. Throws as `next` does. */
  nextShort(wallMs: number, beforeMs?: number): string;
  /**
   * The next ids, as many as there may be now: at least one, at most `count` (1 … 1,000,000).
   * Throws as `next` does.
   */
  take(count: number, wallMs: number, beforeMs?: number): IdRun[];
}

/** Sequence numbers as bigints, made once: adding two is much faster than making one. */
const steps = Array.from({ length: 4_096 }, (_, step) => BigInt(step));

/**
 * A generator of one layout's ids under one worker's number. A pure state machine: O(1), no timers
 * and no waiting; all ids of one tick share their upper part.
 *
 * @throws TENFOLD_OPTION_INVALID also for a field without a value: nobody is worker 0 by default
 */
export function idGenerator(layout: IdLayout, options: IdGeneratorOptions = {}): IdGenerator {
  const low = lowPart(layout.fields.slice(1, -1), options.fields ?? {});
  return new SequenceGenerator(layout, low, tickRule(layout, options));
}

class SequenceGenerator implements IdGenerator {
  readonly #epochMs: number;
  readonly #unitMs: number;
  readonly #shift: bigint;
  readonly #low: bigint;
  readonly #stepMax: number;
  readonly #rule: TickRule;
  readonly #decimal: CountingText = decimalText();
  readonly #short: CountingText = shortText();
  #tick: number;
  #step: number;
  #startMs: number;
  #base = 0n;
  #borrowed = 0;

  constructor(layout: IdLayout, low: number, rule: TickRule) {
    this.#epochMs = layout.epochMs;
    this.#unitMs = layout.unitMs;
    this.#shift = BigInt(layout.lowBits);
    this.#low = BigInt(low);
    this.#stepMax = (layout.fields.at(-1) as LayoutField).max;
    this.#rule = rule;
    this.#tick = rule.firstTick;
    this.#startMs = this.#epochMs + this.#tick * this.#unitMs;
    // As if the tick of `afterMs` were used up: the first id must move on.
    this.#step = this.#stepMax;
  }

  next(wallMs: number, beforeMs = Number.POSITIVE_INFINITY): bigint {
    this.#advance(wallMs, beforeMs);
    const step = this.#step;
    return this.#base + (step < 4_096 ? (steps[step] as bigint) : BigInt(step));
  }

  nextDecimal(wallMs: number, beforeMs = Number.POSITIVE_INFINITY): string {
    this.#advance(wallMs, beforeMs);
    return this.#decimal.write(this.#base, this.#step);
  }

  nextShort(wallMs: number, beforeMs = Number.POSITIVE_INFINITY): string {
    this.#advance(wallMs, beforeMs);
    return this.#short.write(this.#base, this.#step);
  }

  take(count: number, wallMs: number, beforeMs = Number.POSITIVE_INFINITY): IdRun[] {
    numberOption("count", count, { min: 1, max: 1_000_000 });
    const runs: IdRun[] = [];
    let wanted = count;
    while (wanted > 0) {
      try {
        this.#advance(wallMs, beforeMs);
      } catch (error) {
        if (runs.length > 0 && isTenfoldError(error, "TENFOLD_IDENTIFIERS_AHEAD")) break;
        throw error;
      }
      const more = Math.min(wanted - 1, this.#stepMax - this.#step);
      runs.push({ first: this.#base + BigInt(this.#step), count: more + 1 });
      this.#step += more;
      if (this.#startMs > wallMs) this.#borrowed += more;
      wanted -= more + 1;
    }
    return runs;
  }

  get lastMs(): number | undefined {
    return this.#tick === noTick ? undefined : this.#startMs;
  }

  get borrowed(): number {
    return this.#borrowed;
  }

  /** To the next step, of this tick or of a later one. */
  #advance(wallMs: number, beforeMs: number): void {
    const startMs = this.#startMs;
    const stays =
      this.#step < this.#stepMax &&
      wallMs < startMs + this.#unitMs &&
      startMs < beforeMs &&
      startMs - wallMs <= this.#rule.aheadMsMax;
    if (stays) this.#step += 1;
    else this.#move(wallMs, beforeMs);
    if (this.#startMs > wallMs) this.#borrowed += 1;
  }

  #move(wallMs: number, beforeMs: number): void {
    const tick = this.#rule.next(this.#tick, this.#step === this.#stepMax, wallMs, beforeMs);
    if (tick === this.#tick) {
      this.#step += 1;
      return;
    }
    this.#tick = tick;
    this.#step = 0;
    this.#startMs = this.#epochMs + tick * this.#unitMs;
    this.#base = (BigInt(tick) << this.#shift) + this.#low;
  }
}
