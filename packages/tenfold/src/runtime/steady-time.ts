/** Milliseconds that only grow, whatever the clock does. */
export interface SteadyTime {
  /** Never less than what it gave before; equals `now` until the clock misbehaves. */
  at(now: number): number;
}

/** Two readings that crossed on their way; a larger step back is a clock that was set. */
export const crossedMsMax = 1_000;

/** Beyond this (3,000 years) fractions of a millisecond are lost: no clock of ours says so. */
export const nowMax = 1e14;

/**
 * What policies count time with. A clock that is set back costs nothing: time goes on from where it
 * was, so an open circuit does not stay open until the clock has caught up. Not a number, or one
 * beyond any date, means that no time has passed.
 */
export function steadyTime(): SteadyTime {
  const state = { seen: 0, shift: 0, given: 0 };
  return {
    at(now) {
      // What was given is given back: a number made anew is one more to collect at every call.
      if (now >= state.given && now <= nowMax && state.shift === 0) {
        state.seen = state.given = now;
        return now;
      }
      if (now > state.seen) {
        if (now <= nowMax) state.seen = now;
      } else if (state.seen - now > crossedMsMax && now >= -nowMax) {
        state.shift += state.seen - now;
        state.seen = now;
      }
      // Sums of large and small times round down now and then.
      state.given = Math.max(state.given, state.seen + state.shift);
      return state.given;
    },
  };
}
