import { popEvent, pushEvent, type Scheduled } from "./event-heap.ts";

/**
 * Virtual time for synchronous code: events run one after the other, each at its own instant, about
 * a million in a second. For code with promises take `virtualClock`, which lets them settle.
 */
export interface EventLoop {
  now(): number;
  /** Runs after `delayMs` (from 0); what is set for the same instant runs in order of setting. */
  setTimer(delayMs: number, run: () => void): void;
  /** Runs what there is until nothing is left, or `untilMs` is reached. */
  run(untilMs?: number): void;
}

interface Event extends Scheduled {
  readonly run: () => void;
}

export function eventLoop(): EventLoop {
  const heap: Event[] = [];
  const state = { now: 0, order: 0 };
  return {
    now: () => state.now,
    setTimer(delayMs, run) {
      pushEvent(heap, { at: state.now + Math.max(0, delayMs), order: state.order++, run });
    },
    run(untilMs = Number.POSITIVE_INFINITY) {
      for (;;) {
        const next = heap[0];
        if (next === undefined || next.at > untilMs) return;
        popEvent(heap);
        state.now = next.at;
        next.run();
      }
    },
  };
}
