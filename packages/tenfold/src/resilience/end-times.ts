import { type Clock, systemClock, type Timer } from "../runtime/clock.ts";

/** Something that ends when its time is up, if it has not ended before. */
export interface Ending {
  /** On the clock. */
  readonly endsAt: number;
  onTime(): void;
  /** Of the `EndTimes` that it is in: its place there, −1 when it is in none. */
  place: number;
}

/**
 * The ends of all that is under way. On a clock that cannot be set they share one timer, set for
 * the next of them: a timer of its own for each costs more than all the decisions about a call. It
 * is left running when what it was set for is over, and finds the next end then; without anything
 * under way there is none.
 *
 * Any other clock may be set back, or stand still, between two readings, and then nothing read from
 * it says how much of a time is left: there each end has a timer of its own.
 */
export class EndTimes {
  /** Does the clock go as timers do? */
  readonly isSteady: boolean;
  readonly #clock: Pick<Clock, "now" | "setTimer">;
  readonly #all: Ending[] = [];
  readonly #timers = new Map<Ending, Timer>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(clock: Pick<Clock, "now" | "setTimer">, isSteady = clock === systemClock) {
    this.#clock = clock;
    this.isSteady = isSteady;
  }

  /** O(1). @param inMs from now to its end. */
  add(ending: Ending, inMs: number): void {
    ending.place = this.#all.push(ending) - 1;
    if (!this.isSteady) {
      const end = (): void => this.#end(ending);
      this.#timers.set(ending, this.#clock.setTimer(inMs, end));
    } else if (ending.endsAt < this.#timerAt) this.#wakeIn(inMs, ending.endsAt);
  }

  /** O(1). */
  remove(ending: Ending): void {
    const { place } = ending;
    if (place < 0) return;
    ending.place = -1;
    const last = this.#all.pop() as Ending;
    if (last !== ending) {
      this.#all[place] = last;
      last.place = place;
    }
    if (!this.isSteady) {
      this.#timers.get(ending)?.cancel();
      this.#timers.delete(ending);
    } else if (this.#all.length === 0) this.#sleep();
  }

  #end(ending: Ending): void {
    if (ending.place < 0) return;
    this.remove(ending);
    ending.onTime();
  }

  #wakeIn(ms: number, at: number): void {
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.setTimer(ms, this.#wake);
  }

  #sleep(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  readonly #wake = (): void => {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    const isOver = ({ endsAt }: Ending): boolean => endsAt - now <= roundingMs;
    const over = this.#all.filter(isOver);
    let next = Number.POSITIVE_INFINITY;
    for (const each of this.#all) if (!isOver(each)) next = Math.min(next, each.endsAt);
    if (next < Number.POSITIVE_INFINITY) this.#wakeIn(next - now, next);
    over.sort((a, b) => a.endsAt - b.endsAt);
    for (const ending of over) this.#end(ending);
  };
}

/** Sums of times are not exact to the last digit. */
const roundingMs = 0.001;
