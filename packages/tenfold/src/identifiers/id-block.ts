import { TenfoldError } from "../runtime/errors.ts";
import { idMax, parseId } from "./id-codec.ts";
import type { IdRun } from "./id-generator.ts";

/** Many ids as JSON carries them: runs of consecutive ones, about 40 bytes for each 4,096. */
export interface IdBlock {
  readonly runs: readonly { readonly first: string; readonly count: number }[];
}

/** Ids that one block may hold, and runs that it may come in. */
export const idBlockLimits: { readonly idsMax: number; readonly runsMax: number } = Object.freeze({
  idsMax: 65_536,
  runsMax: 65_536,
});

export function encodeIdBlock(runs: readonly IdRun[]): IdBlock {
  return { runs: runs.map(({ first, count }) => ({ first: first.toString(), count })) };
}

/** Reads a block from elsewhere. @throws TENFOLD_IDENTIFIERS_BLOCK_INVALID */
export function decodeIdBlock(block: unknown): readonly IdRun[] {
  const { runs } = Object(block) as { readonly runs?: unknown };
  if (!Array.isArray(runs) || runs.length === 0 || runs.length > idBlockLimits.runsMax) {
    throw blockInvalid(`1 … ${idBlockLimits.runsMax} runs`, block);
  }
  let ids = 0;
  return runs.map((run: unknown) => {
    const { first, count } = Object(run) as { readonly first?: unknown; readonly count?: unknown };
    const left = idBlockLimits.idsMax - ids;
    if (typeof count !== "number" || !Number.isInteger(count) || count < 1 || count > left) {
      throw blockInvalid(`a count of 1 … ${left}`, run);
    }
    const start = parseId(first, "first");
    if (start + BigInt(count - 1) > idMax) throw blockInvalid("ids of 63 bits", run);
    ids += count;
    return { first: start, count };
  });
}

/** The error for something that is no block. */
export function blockInvalid(expected: string, came: unknown): TenfoldError {
  const shown = JSON.stringify(came)?.slice(0, 100);
  return new TenfoldError(
    "TENFOLD_IDENTIFIERS_BLOCK_INVALID",
    `A block of ids must have ${expected}, got ${shown}.`,
    { details: { came: shown } },
  );
}
