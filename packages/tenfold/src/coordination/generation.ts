import { TenfoldError } from "../runtime/errors.ts";
import type { CallOptions, Coordinator } from "./coordinator.ts";
import { generationMax } from "./fencing-token.ts";

/**
 * The one reserved key: which life of the store this is. Absent means 0. Whoever puts an older
 * backup back raises it, so that tokens go on growing although revisions begin again further back.
 */
export const generationKey = "/tenfold/generation";

/** @throws TENFOLD_COORDINATION_ANSWER_INVALID when something else was written there */
export function parseGeneration(value: string | undefined): number {
  if (value === undefined) return 0;
  const generation = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (generation <= generationMax) return generation;
  throw new TenfoldError(
    "TENFOLD_COORDINATION_ANSWER_INVALID",
    `The entry ${generationKey} must hold a whole number up to ${generationMax}, and holds ` +
      `${JSON.stringify(value.slice(0, 40))}: see who wrote it.`,
  );
}

/**
 * The generation after `old`. Seconds since 1970, so that it also passes a generation that was
 * raised after the backup was taken and of which the backup knows nothing.
 */
export function nextGeneration(old: number, wallMs: number): number {
  return Math.min(generationMax, Math.max(old + 1, Math.floor(wallMs / 1_000)));
}

/**
 * Says of the store that it is the one to go on with, after an older backup was put back. Every
 * session ends; clients that refused the store accept it. Use a client of its own: one that has
 * seen the store before the restore refuses this call, too.
 *
 * @returns the new generation
 * @throws TENFOLD_COORDINATION_UNAVAILABLE (retryable) when another raised it at the same time, and
 *   what the coordinator throws
 */
export async function raiseGeneration(
  coordinator: Pick<Coordinator, "get" | "transact">,
  wallMs: number,
  options?: CallOptions,
): Promise<number> {
  const entry = await coordinator.get(generationKey, options);
  const generation = nextGeneration(parseGeneration(entry?.value), wallMs);
  const key = generationKey;
  const result = await coordinator.transact(
    {
      when: [entry === undefined ? { key, is: "absent" } : { key, revision: entry.revision }],
      change: [{ put: key, value: String(generation) }],
    },
    options,
  );
  if (result.outcome === "applied") return generation;
  const now = await coordinator.get(key, options);
  if (now?.value === String(generation)) return generation;
  throw new TenfoldError(
    "TENFOLD_COORDINATION_UNAVAILABLE",
    "The generation was not raised: another did so at the same time, or the answer was lost.",
    { retryable: true },
  );
}
