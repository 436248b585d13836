import type { Random } from "../runtime/random.ts";

export interface RestartPolicyOptions {
  /** A process that was up this long is healthy: its next end is answered at once. */
  readonly stableAfterMs: number;
  readonly delayFirstMs: number;
  readonly delayMaxMs: number;
  /** Ends in a row without a stable run that make a crash loop. */
  readonly crashLoopAfter: number;
  /** How often a crash-looping process is tried again. */
  readonly crashLoopDelayMs: number;
}

export const restartPolicyDefaults: RestartPolicyOptions = Object.freeze({
  stableAfterMs: 5_000,
  delayFirstMs: 100,
  delayMaxMs: 5_000,
  crashLoopAfter: 6,
  crashLoopDelayMs: 30_000,
});

export interface RestartDecision {
  readonly delayMs: number;
  /** It ends again and again, and is tried rarely from now on. */
  readonly looping: boolean;
  /** It began to loop with this end: somebody should look. */
  readonly alarm: boolean;
}

export interface RestartPolicy {
  /** The process ended after running `ranMs`; when to start it again. */
  ended(ranMs: number): RestartDecision;
}

/**
 * When to restart a process that ended by itself: at once after a stable run, with doubling,
 * jittered delays (0.5 … 1 of the step) when it keeps ending, and rarely once it loops. Pure: the
 * caller measures and waits.
 */
export function restartPolicy(
  random: Random,
  options: RestartPolicyOptions = restartPolicyDefaults,
): RestartPolicy {
  let unstableEnds = 0;
  return {
    ended(ranMs) {
      if (ranMs >= options.stableAfterMs) {
        unstableEnds = 0;
        return { delayMs: 0, looping: false, alarm: false };
      }
      unstableEnds += 1;
      if (unstableEnds >= options.crashLoopAfter) {
        const alarm = unstableEnds === options.crashLoopAfter;
        return { delayMs: options.crashLoopDelayMs, looping: true, alarm };
      }
      const step = unstableEnds === 1 ? 0 : options.delayFirstMs * 2 ** (unstableEnds - 2);
      const delayMs = Math.min(step, options.delayMaxMs) * (0.5 + random.next() / 2);
      return { delayMs, looping: false, alarm: false };
    },
  };
}
