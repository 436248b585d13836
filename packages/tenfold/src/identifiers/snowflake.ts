import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { idInvalid } from "./id-codec.ts";

/** Twitter's epoch: 2010-11-04T01:42:54.657Z. 41 bits of milliseconds end on 2080-07-10. */
export const twitterEpochMs = 1_288_834_974_657;

/** How many workers may generate at the same time: 0 … 1023. */
export const snowflakeWorkerCount = 1024;

const timeBits = 41;
const workerBits = 10;
const sequenceBits = 12;
const timeMax = 2 ** timeBits - 1;
const sequenceMax = 2 ** sequenceBits - 1;
const workerShift = BigInt(sequenceBits);
const timeShift = BigInt(workerBits + sequenceBits);
const belowTime = (1n << timeShift) - 1n;
const idMax = (1n << BigInt(timeBits + workerBits + sequenceBits)) - 1n;

export interface SnowflakeOptions {
  /** Who generates: 0 … 1023, held by nobody else. To Twitter: data centre × 32 + machine. */
  readonly worker: number;
  /** Where time begins, in wall-clock milliseconds. Default `twitterEpochMs`. */
  readonly epochMs?: number;
  /** How far ids may run ahead of the wall clock: 0 … 60,000. Default 10,000. */
  readonly aheadMsMax?: number;
  /** All ids are later than this wall-clock millisecond: the last of an earlier generator. */
  readonly afterMs?: number;
}

export const snowflakeDefaults: { readonly epochMs: number; readonly aheadMsMax: number } =
  Object.freeze({
    epochMs: twitterEpochMs,
    /** A clock set back by more than this is wrong, not corrected: refuse and be noticed. */
    aheadMsMax: 10_000,
  });

export interface Snowflake {
  /**
   * The next id, larger than every id before it, whatever the clock does: when the clock stands
   * still or goes back the generator's own time goes on, one millisecond for each 4,096 ids.
   *
   * @param wallMs the wall clock's milliseconds, now.
   * @param beforeMs the id's time must be before this; default no such bound.
   * @throws TENFOLD_IDENTIFIERS_AHEAD (retryable) when the id would be `aheadMsMax` or more ahead
   *   of the clock, or at `beforeMs`; the state is as before.
   * @throws TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE before the epoch and after its 41 bits.
   */
  next(wallMs: number, beforeMs?: number): bigint;
  /** The time of the last id in wall-clock milliseconds; before the first one `afterMs`. */
  readonly lastMs: number | undefined;
}

/**
 * A generator of Twitter's 63-bit ids: 41 bits of milliseconds since the epoch, 10 of worker, 12 of
 * sequence. A pure state machine: 4,096 ids a millisecond, O(1), no timers and no waiting.
 *
 * Source: twitter-archive/snowflake, tag snowflake-2010; unlike it this one neither throws nor
 * spins for a short step of the clock.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function snowflake(options: SnowflakeOptions): Snowflake {
  const worker = numberOption("worker", options.worker, { min: 0, max: 1023 });
  const epochMs = epochOption(options.epochMs);
  const aheadMsMax = numberOption(
    "aheadMsMax",
    options.aheadMsMax ?? snowflakeDefaults.aheadMsMax,
    {
      min: 0,
      max: 60_000,
    },
  );
  const { afterMs } = options;
  if (afterMs !== undefined) {
    numberOption("afterMs", afterMs, { min: epochMs - 1, max: epochMs + timeMax });
  }
  let lastMs = afterMs;
  // As if the millisecond `afterMs` were used up: the first id must move on.
  let sequence = sequenceMax;
  let base = 0n;
  return {
    next(wallMs, beforeMs = Number.POSITIVE_INFINITY) {
      const stands = lastMs !== undefined && wallMs <= lastMs;
      const full = sequence === sequenceMax;
      const timeMs = !stands ? wallMs : full ? (lastMs as number) + 1 : (lastMs as number);
      const limitMs = Math.min(beforeMs, wallMs + aheadMsMax + 1);
      if (timeMs >= limitMs) throw ahead(timeMs - wallMs, timeMs - limitMs + 1);
      if (timeMs !== lastMs) {
        base = (timeField(timeMs, epochMs) << timeShift) | (BigInt(worker) << workerShift);
        lastMs = timeMs;
        sequence = -1;
      }
      sequence += 1;
      return base | BigInt(sequence);
    },
    get lastMs() {
      return lastMs;
    },
  };
}

export interface SnowflakeParts {
  /** Wall-clock milliseconds. */
  readonly timeMs: number;
  /** All ten bits: 0 … 1023. */
  readonly worker: number;
  /** The upper five bits of `worker`: Twitter's data centre. */
  readonly datacenter: number;
  /** The lower five bits of `worker`: Twitter's machine. */
  readonly machine: number;
  readonly sequence: number;
}

/** What an id says. @throws TENFOLD_IDENTIFIERS_ID_INVALID for negative ids and above 63 bits. */
export function decodeSnowflake(id: bigint, epochMs: number = twitterEpochMs): SnowflakeParts {
  if (id < 0n || id > idMax) throw idInvalid("id", id);
  const worker = Number((id >> workerShift) & 1023n);
  return {
    timeMs: Number(id >> timeShift) + epochMs,
    worker,
    datacenter: worker >> 5,
    machine: worker & 31,
    sequence: Number(id & BigInt(sequenceMax)),
  };
}

/** The smallest id of a wall-clock millisecond. @throws TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE */
export function firstIdAt(timeMs: number, epochMs: number = twitterEpochMs): bigint {
  return timeField(timeMs, epochMs) << timeShift;
}

/** The largest id of a wall-clock millisecond. @throws TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE */
export function lastIdAt(timeMs: number, epochMs: number = twitterEpochMs): bigint {
  return firstIdAt(timeMs, epochMs) | belowTime;
}

function epochOption(epochMs: number = snowflakeDefaults.epochMs): number {
  return numberOption("epochMs", epochMs, { min: 0, max: Number.MAX_SAFE_INTEGER - timeMax });
}

function timeField(timeMs: number, epochMs: number): bigint {
  const sinceEpoch = timeMs - epochMs;
  if (Number.isInteger(sinceEpoch) && sinceEpoch >= 0 && sinceEpoch <= timeMax) {
    return BigInt(sinceEpoch);
  }
  throw new TenfoldError(
    "TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE",
    `The time must be a whole millisecond from ${epochMs} to ${epochMs + timeMax}, ` +
      `got ${timeMs}. Check the clock and the epoch.`,
    { details: { timeMs, epochMs } },
  );
}

function ahead(aheadMs: number, retryAfterMs: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_IDENTIFIERS_AHEAD",
    `The next id would be ${aheadMs} ms ahead of the clock: it was set back, or ids are made ` +
      `faster than 4,096 a millisecond. Try again in ${retryAfterMs} ms.`,
    { retryable: true, retryAfterMs, details: { aheadMs } },
  );
}
