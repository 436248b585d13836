// A process that holds a lock again and again and acts under it; started by `lock-holders.ts`.
import { acquireLock, coordinatorFence } from "tenfold/coordination";
import { isTenfoldError, type SocketAddress } from "tenfold/runtime";

import { connect } from "./engines.ts";

export interface LockHolderSettings {
  readonly addresses: readonly SocketAddress[];
  readonly prefix: string;
  readonly ttlMs: number;
  /** Effects between two looks at the session, as work that awaits something has them. */
  readonly burst: number;
  /** How long one holds before it lets the next one in. */
  readonly holdMs: number;
}

/** What reaches the resource: so many effects in a row under one token. */
export interface Effects {
  readonly token: string;
  readonly count: number;
  /** What the coordinator's own guard said of the last one. */
  readonly stored: "applied" | "refused" | "unsure" | undefined;
}

const { addresses, prefix, ttlMs, burst, holdMs } = JSON.parse(
  process.env.LOCK_HOLDER ?? "",
) as LockHolderSettings;
const client = connect(addresses);
const guard = coordinatorFence(client);

async function hold(): Promise<void> {
  const session = await client.openSession({ ttlMs });
  try {
    const lock = await acquireLock(client, { prefix: `${prefix}lock/`, session });
    const until = performance.now() + holdMs;
    for (let round = 0; performance.now() < until; round++) {
      lock.assertValid();
      // Between the look and the effect: where a process may stand still without knowing.
      await new Promise((resolve) => setTimeout(resolve, 2));
      let stored: Effects["stored"];
      if (round % 10 === 0) {
        const change = [{ put: `${prefix}resource`, value: lock.token }];
        stored = await guard
          .run(lock, async (transact) => (await transact({ change })).outcome)
          .then(
            (outcome) => (outcome === "indeterminate" ? "unsure" : outcome),
            (error: unknown) =>
              isTenfoldError(error, "TENFOLD_COORDINATION_FENCED") ? "refused" : "unsure",
          );
      }
      tell({ token: lock.token, count: burst, stored });
    }
  } finally {
    await session.close();
  }
}

const tell = (effects: Effects): void => void process.send?.(effects);

process.on("disconnect", () => process.exit());
for (;;) {
  await hold().catch((error: unknown) => {
    if (!isTenfoldError(error)) throw error;
  });
}
