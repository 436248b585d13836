import { type Clock, systemClock } from "../runtime/clock.ts";
import { abortError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { blockInvalid, idBlockLimits } from "./id-block.ts";
import type { IdRun } from "./id-generator.ts";

export interface BlockIdsOptions {
  /** Fetches a block: `GET /api/v1/guid/blocks?size=…` through `decodeIdBlock`. */
  readonly fetch: (
    size: number,
    options: { readonly signal: AbortSignal },
  ) => Promise<readonly IdRun[]>;
  /** Ids to ask for at once: 1 … 65,536. Default 4,096. */
  readonly size?: number;
  /** Ids of an older block are thrown away, so that ids stay near to their time: 1 … 3,600,000. */
  readonly blockAgeMsMax?: number;
  readonly clock?: Pick<Clock, "now">;
}

export const blockIdsDefaults: { readonly size: number; readonly blockAgeMsMax: number } =
  Object.freeze({
    /** One millisecond of a Snowflake worker. */
    size: 4_096,
    blockAgeMsMax: 5_000,
  });

/** Ids from blocks that a service hands out: a call for thousands of ids instead of for each. */
export interface BlockIds extends AsyncDisposable {
  /** An id of the block at hand, or undefined when `next` would have to wait. */
  take(): bigint | undefined;
  /** An id; waits for a block when none is at hand. Throws what `fetch` throws. */
  next(): Promise<bigint>;
  /** Cuts the fetch under way; ids that are left are never used. Idempotent. */
  close(): Promise<void>;
}

/**
 * Ids one by one from blocks. While half a block is left the next one is fetched, one at a time.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function createBlockIds(options: BlockIdsOptions): BlockIds {
  const { fetch, clock = systemClock } = options;
  const { size = blockIdsDefaults.size, blockAgeMsMax = blockIdsDefaults.blockAgeMsMax } = options;
  numberOption("size", size, { min: 1, max: idBlockLimits.idsMax });
  numberOption("blockAgeMsMax", blockAgeMsMax, { min: 1, max: 3_600_000 });
  const stop = new AbortController();
  let blocks: Block[] = [];
  let fetching: Promise<void> | undefined;

  const load = async (): Promise<void> => {
    const askedAt = clock.now();
    const fetched = block(await fetch(size, { signal: stop.signal }), askedAt + blockAgeMsMax);
    // Asking again at once would only ask again and again.
    if (fetched.left === 0) throw blockInvalid("at least one id", []);
    blocks.push(fetched);
  };
  const fetchMore = (): Promise<void> => {
    if (stop.signal.aborted) return Promise.reject(abortError(stop.signal));
    fetching ??= load().finally(() => {
      fetching = undefined;
    });
    return fetching;
  };
  const take = (): bigint | undefined => {
    const nowMs = clock.now();
    if (stop.signal.aborted) return undefined;
    if (blocks[0] !== undefined && (blocks[0].left === 0 || blocks[0].untilMs <= nowMs)) {
      blocks = blocks.filter(({ left, untilMs }) => left > 0 && untilMs > nowMs);
    }
    const current = blocks[0];
    if (current === undefined) return undefined;
    const id = current.next();
    // What fails here fails again, and is told, when `next` needs it.
    if (blocks.length === 1 && current.left <= size / 2) fetchMore().catch(() => {});
    return id;
  };
  const close = async (): Promise<void> => {
    stop.abort();
    blocks = [];
    await fetching?.catch(() => {});
  };
  return {
    take,
    async next() {
      for (;;) {
        const id = take();
        if (id !== undefined) return id;
        await fetchMore();
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Block {
  readonly untilMs: number;
  readonly left: number;
  next(): bigint;
}

function block(runs: readonly IdRun[], untilMs: number): Block {
  let left = runs.reduce((sum, { count }) => sum + count, 0);
  let at = 0;
  let id = 0n;
  let leftInRun = 0;
  return {
    untilMs,
    get left() {
      return left;
    },
    next() {
      if (leftInRun === 0) {
        const run = runs[at++] as IdRun;
        id = run.first;
        leftInRun = run.count;
      }
      leftInRun -= 1;
      left -= 1;
      return id++;
    },
  };
}
