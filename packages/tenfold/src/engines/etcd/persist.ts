import { backOff } from "../../coordination/back-off.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { Access, Pass } from "./access.ts";
import { isUnavailable, type RpcError } from "./rpc-error.ts";
import type { WaitOptions } from "./unary-call.ts";

export interface PersistParts extends Pick<Runtime, "clock" | "random"> {
  readonly access: Pick<Access, "metadata" | "renewsAfter">;
  readonly closing: AbortSignal;
  /** One try may take this part of the whole time. */
  readonly shares: number;
}

/** Runs a call again until it succeeds, fails for good, or the time is up. */
export type Persist = <Result>(
  options: WaitOptions,
  isSafe: (error: RpcError) => boolean,
  run: (pass: Pass, options: WaitOptions) => Promise<Result>,
) => Promise<Result>;

/** A pass refused on its first use will not be better the next time; two may race. */
const renewalsMax = 2;

export function persisting(parts: PersistParts): Persist {
  const { clock, random, access, closing, shares } = parts;
  return async ({ timeoutMs, signal }, isSafe, run) => {
    const deadline = clock.now() + timeoutMs;
    const shareMs = timeoutMs / shares;
    const wait = backOff(random);
    let renewals = 0;
    for (;;) {
      closing.throwIfAborted();
      let pass: Pass = {};
      try {
        const tryMs = Math.min(deadline - clock.now(), shareMs);
        pass = await access.metadata(tryMs);
        return await run(pass, { timeoutMs: Math.min(deadline - clock.now(), tryMs), signal });
      } catch (error) {
        const waitMs = wait.next();
        if (clock.now() + waitMs >= deadline) throw error;
        const renews = access.renewsAfter(error, pass) && ++renewals <= renewalsMax;
        if (!renews && !(isUnavailable(error) && isSafe(error))) throw error;
        await clock.sleep(waitMs, { signal });
      }
    }
  };
}
