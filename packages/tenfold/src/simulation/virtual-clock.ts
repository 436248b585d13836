import { type Clock, sleepOn, type Timer } from "../runtime/clock.ts";
import { popEvent, pushEvent, type Scheduled } from "./event-heap.ts";

export interface VirtualClockOptions {
  /** What `wallNow` says at the start; default 2024-01-01. */
  readonly wallStartMs?: number;
}

/** Time that stands still until it is moved. Timers fire in order of time, then of setting. */
export interface VirtualClock extends Clock {
  /**
   * Moves time forward by `ms`, firing what falls due, each at its own instant; promises that a
   * timer settles run on before the next one fires.
   */
  advance(ms: number): Promise<void>;
  /** Fires timers until none is left that keeps the process alive, or `limitMs` has gone by. */
  run(limitMs?: number): Promise<void>;
  /** How many timers are waiting. */
  readonly pending: number;
}

interface SetTimer extends Scheduled {
  readonly run: () => void;
  readonly keepAlive: boolean;
  cancelled: boolean;
}

export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  const wallStartMs = options.wallStartMs ?? Date.UTC(2024, 0, 1);
  const heap: SetTimer[] = [];
  let now = 0;
  let order = 0;
  let live = 0;
  let alive = 0;

  const forget = (timer: SetTimer): void => {
    live--;
    if (timer.keepAlive) alive--;
  };
  /** Fires the next timer due by `until`; false when there is none. */
  const fireNext = async (until: number): Promise<boolean> => {
    await settle();
    while (heap[0]?.cancelled) popEvent(heap);
    const first = heap[0];
    if (first === undefined || first.at > until) return false;
    popEvent(heap);
    forget(first);
    first.cancelled = true;
    now = Math.max(now, first.at);
    first.run();
    return true;
  };

  const clock: VirtualClock = {
    now: () => now,
    wallNow: () => wallStartMs + Math.floor(now),
    setTimer(delayMs, run, timerOptions): Timer {
      const keepAlive = timerOptions?.keepAlive ?? true;
      const timer = {
        at: now + Math.max(0, delayMs),
        order: order++,
        run,
        keepAlive,
        cancelled: false,
      };
      pushEvent(heap, timer);
      live++;
      if (keepAlive) alive++;
      return {
        cancel() {
          if (timer.cancelled) return;
          timer.cancelled = true;
          forget(timer);
        },
      };
    },
    sleep: (delayMs, sleepOptions) => sleepOn(clock, delayMs, sleepOptions?.signal),
    async advance(ms) {
      const until = now + ms;
      while (await fireNext(until));
      now = until;
      await settle();
    },
    async run(limitMs = Number.POSITIVE_INFINITY) {
      const until = now + limitMs;
      await settle();
      while (alive > 0 && (await fireNext(until)));
      await settle();
    },
    get pending() {
      return live;
    },
  };
  return clock;
}

/** Lets every promise that is already settled, and what follows from it, run first. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
