import { abortError, TenfoldError } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { backOff } from "./back-off.ts";
import {
  type CallOptions,
  type Coordinator,
  type CreatedEntry,
  coordinatorDefaults,
  type OrderedEntry,
  type Session,
} from "./coordinator.ts";

/** A request that a server took before it fell silent is carried out within this or never. */
const lateApplyMs = 10_000;

type Calls = Pick<Coordinator, "get" | "transact">;

/**
 * `Coordinator.createOrdered` by exclusive creates under a name that is unique: whatever became of
 * a try whose answer was lost, the next one finds the entry, or makes it (Curator's protection).
 */
export async function createOrdered(
  calls: Calls,
  { prefix, value, session }: OrderedEntry,
  runtime: Pick<Runtime, "clock" | "random">,
  options: CallOptions = {},
): Promise<CreatedEntry> {
  const { clock, random } = runtime;
  const { timeoutMs = coordinatorDefaults.callTimeoutMs, signal } = options;
  const deadline = clock.now() + timeoutMs;
  const key = `${prefix}${uniqueName(runtime)}`;
  const wait = backOff(random);
  let mayExist = false;
  try {
    for (;;) {
      session.assertValid();
      if (signal?.aborted) throw abortError(signal);
      const call = { signal, timeoutMs: Math.max(1, deadline - clock.now()) };
      const when = [{ key, is: "absent" as const }];
      const result = await calls.transact({ when, change: [{ put: key, value, session }] }, call);
      if (result.outcome === "applied") return { key, token: result.token };
      if (result.outcome === "refused") {
        // Nobody else knows the name: an earlier try made it.
        const entry = await calls.get(key, call);
        if (entry !== undefined) return { key, token: entry.token };
        // It ended with the session, or was removed by name: the caller must not wait for it.
        session.assertValid();
        throw unsure(key, undefined);
      }
      mayExist = true;
      if (clock.now() >= deadline) throw unsure(key, result.cause);
      await clock.sleep(wait.next(), { signal });
    }
  } catch (error) {
    if (mayExist || signal?.aborted) void takeBack(calls, key, session, runtime);
    throw error;
  }
}

function unsure(key: string, cause: unknown): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATION_UNAVAILABLE",
    `Whether ${key} was created did not become known in time; it is being taken back. Try again.`,
    { retryable: true, cause, details: { key } },
  );
}

/** An entry in a queue that nobody waits for would hold up all behind it. Never throws. */
async function takeBack(
  calls: Calls,
  key: string,
  session: Session,
  { clock, random }: Pick<Runtime, "clock" | "random">,
): Promise<void> {
  const wait = backOff(random);
  const { signal } = session;
  const until = clock.now() + lateApplyMs;
  while (!signal.aborted) {
    const result = await calls
      .transact({ when: [{ key, is: "present" }], change: [{ delete: key }] }, { signal })
      .catch(() => undefined);
    if (result?.outcome === "applied") return;
    if (result?.outcome === "refused" && clock.now() >= until) return;
    await clock.sleep(wait.next(), { signal }).catch(() => {});
  }
}

/** 128 bits as hexadecimal text. */
function uniqueName({ random }: Pick<Runtime, "random">): string {
  const words = Array.from({ length: 4 }, () => random.below(2 ** 32));
  return words.map((word) => word.toString(16).padStart(8, "0")).join("");
}
