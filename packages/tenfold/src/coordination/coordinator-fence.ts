import { TenfoldError } from "../runtime/errors.ts";
import type { CallOptions, Coordinator, Transaction, TransactionResult } from "./coordinator.ts";
import type { FencingToken } from "./fencing-token.ts";
import type { FenceClaim, FenceGuard } from "./hold.ts";

/** `Coordinator.transact` for a holder: applies only while it holds. */
export type FencedTransact = (
  transaction: Transaction,
  options?: CallOptions,
) => Promise<TransactionResult>;

/**
 * Guards entries of the coordinator itself: every transaction also asks, in the same step, whether
 * the holder's own entry still stands and hangs on its session. Nothing needs to be remembered: who
 * stands first in a line stays first until its entry is gone.
 */
export function coordinatorFence(
  coordinator: Pick<Coordinator, "transact">,
): FenceGuard<FencedTransact> {
  return {
    run: (claim, work) =>
      work(async (transaction, options) => {
        const { key, session } = claim;
        const { when = [], otherwiseRead = [] } = transaction;
        const fenced = {
          ...transaction,
          when: [{ key, ownedBy: session }, ...when],
          otherwiseRead: [key, ...otherwiseRead],
        };
        const result = await coordinator.transact(fenced, options);
        if (result.outcome !== "refused") return result;
        const own = result.reads.find((entry) => entry.key === key);
        if (own?.sessionId !== session.id) throw fencedError(claim);
        const reads = otherwiseRead.includes(key)
          ? result.reads
          : result.reads.filter((entry) => entry.key !== key);
        return { ...result, reads };
      }),
  };
}

/** What every guard throws. @param by the token that acted later, where the guard knows it */
export function fencedError(
  { name, token }: Pick<FenceClaim, "name" | "token">,
  by?: FencingToken,
): TenfoldError {
  const who = by === undefined ? "its entry is gone" : `${by} acted already`;
  return new TenfoldError(
    "TENFOLD_COORDINATION_FENCED",
    `The holder of ${name} with token ${token} comes too late: ${who}. Nothing was changed.`,
    { details: { name, token, ...(by !== undefined && { by }) } },
  );
}
