import { abortError, isTenfoldError, TenfoldError } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { backOff } from "./back-off.ts";
import type { CallOptions, Coordinator, Transaction } from "./coordinator.ts";

/**
 * Repeats a call while no coordinator answers, with growing waits, until the signal fires. Only for
 * calls that may be made twice.
 */
export async function insist<Result>(
  call: () => Promise<Result>,
  signal: AbortSignal,
  { clock, random }: Pick<Runtime, "clock" | "random">,
): Promise<Result> {
  const pause = backOff(random);
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (signal.aborted) throw abortError(signal);
      if (!isTenfoldError(error, "TENFOLD_COORDINATION_UNAVAILABLE")) throw error;
      await clock.sleep(pause.next(), { signal });
    }
  }
}

/** An unconditional change that may be made twice; a lost answer counts as no answer. */
export async function change(
  coordinator: Pick<Coordinator, "transact">,
  changes: Transaction["change"],
  options?: CallOptions,
): Promise<void> {
  const result = await coordinator.transact({ change: changes }, options);
  if (result.outcome !== "indeterminate") return;
  const message = "The coordinator's answer to a change was lost.";
  const { cause } = result;
  throw new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", message, { retryable: true, cause });
}
