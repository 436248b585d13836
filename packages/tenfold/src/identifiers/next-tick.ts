import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { type IdLayout, timeOutOfRange } from "./layout.ts";

export interface TickOptions {
  /** How far ids may run ahead of the wall clock: 0 … 2^53 − 1. Default 10,000. */
  readonly aheadMsMax?: number;
  /**
   * All ids are later than this wall-clock millisecond: the last of an earlier generator. Before
   * the layout's epoch it says nothing.
   */
  readonly afterMs?: number;
}

export const idGeneratorDefaults: { readonly aheadMsMax: number } = Object.freeze({
  /** A clock set back by more than this is wrong, not corrected: refuse and be noticed. */
  aheadMsMax: 10_000,
});

/** Before the first id, when no earlier generator is known. */
export const noTick = -2;

/** Chooses the tick of the next id: the rule that makes ids grow whatever the clock does. */
export interface TickRule {
  /** The tick of `afterMs`, or `noTick`. */
  readonly firstTick: number;
  readonly aheadMsMax: number;
  /**
   * @param tick the last one used, and whether its sequence is used up.
   * @throws TENFOLD_IDENTIFIERS_AHEAD, TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE
   */
  next(tick: number, full: boolean, wallMs: number, beforeMs: number): number;
}

/** @throws TENFOLD_OPTION_INVALID */
export function tickRule(layout: IdLayout, options: TickOptions): TickRule {
  const { epochMs, unitMs, endMs } = layout;
  const { aheadMsMax = idGeneratorDefaults.aheadMsMax, afterMs } = options;
  numberOption("aheadMsMax", aheadMsMax, { min: 0, max: Number.MAX_SAFE_INTEGER });
  const used =
    afterMs === undefined ? -1 : numberOption("afterMs", afterMs, { min: -1, max: endMs });
  return {
    firstTick: used < epochMs ? noTick : Math.floor((used - epochMs) / unitMs),
    aheadMsMax,
    next(tick, full, wallMs, beforeMs) {
      if (!Number.isInteger(wallMs)) throw timeOutOfRange(wallMs, layout);
      const wallTick = Math.floor((wallMs - epochMs) / unitMs);
      const next = wallTick > tick ? wallTick : full ? tick + 1 : tick;
      const startMs = epochMs + next * unitMs;
      if (next < 0 || startMs > endMs) throw timeOutOfRange(startMs, layout);
      const limitMs = Math.min(beforeMs, wallMs + aheadMsMax + 1);
      if (startMs >= limitMs) throw ahead(startMs - wallMs, startMs - limitMs + 1);
      return next;
    },
  };
}

function ahead(aheadMs: number, waitMs: number): TenfoldError {
  const retryAfterMs = Math.ceil(waitMs);
  return new TenfoldError(
    "TENFOLD_IDENTIFIERS_AHEAD",
    `The next id would be ${aheadMs} ms ahead of the clock: it was set back, or ids are made ` +
      `faster than their sequence has numbers. Try again in ${retryAfterMs} ms.`,
    { retryable: true, retryAfterMs, details: { aheadMs } },
  );
}
