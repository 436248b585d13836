import { TenfoldError } from "../runtime/errors.ts";
import type { StoreGuard, StoreSighting } from "./store-guard.ts";

/** What a call says when the store is not the one that was last accepted. */
export function storeReplaced(
  verdict: "younger" | "foreign",
  seen: StoreSighting,
  known: Pick<StoreGuard, "generation" | "revision">,
): TenfoldError {
  const what =
    verdict === "foreign"
      ? "The store is another one than before"
      : "The store has forgotten what was heard from it, as after the restore of an older backup";
  return new TenfoldError(
    "TENFOLD_COORDINATION_STORE_REPLACED",
    `${what}: it is at generation ${seen.generation}, revision ${seen.revision}, and was at ` +
      `generation ${known.generation}, revision ${known.revision}. Nothing is written to it ` +
      "until its generation is raised.",
    { details: { generation: seen.generation, revision: String(seen.revision) } },
  );
}
