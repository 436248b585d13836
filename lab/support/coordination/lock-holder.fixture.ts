// A process that holds a lock again and again and acts under it; started by `lock-holders.ts`.
import { acquireLock, type Hold } from "tenfold/coordination";
import { isTenfoldError, type SocketAddress } from "tenfold/runtime";

import { connect } from "./engines.ts";
import { openResource, type ResourcePlace } from "./guarded-resource.ts";

export interface LockHolderSettings {
  readonly addresses: readonly SocketAddress[];
  readonly resource: ResourcePlace;
  readonly ttlMs: number;
  /** Effects between two looks at the session, as work that awaits something has them. */
  readonly burst: number;
  /** How long one holds before it lets the next one in. */
  readonly holdMs: number;
}

/** What became of the effects between two looks. */
export interface Effects {
  readonly token: string;
  readonly taken: number;
  /** As those of a late holder. */
  readonly refused: number;
  /** Failed, or their answer was lost. */
  readonly unsure: number;
}

const settings = JSON.parse(process.env.LOCK_HOLDER ?? "") as LockHolderSettings;
const { ttlMs, burst, holdMs } = settings;
const client = connect(settings.addresses);
const resource = await openResource(settings.resource, client);

async function hold(): Promise<void> {
  const session = await client.openSession({ ttlMs });
  try {
    const lock = await acquireLock(client, { prefix: `${settings.resource.prefix}lock/`, session });
    const until = performance.now() + holdMs;
    while (performance.now() < until) {
      lock.assertValid();
      // Between the look and the effects: where a process may stand still without knowing.
      await new Promise((resolve) => setTimeout(resolve, 2));
      await act(lock);
    }
  } finally {
    await session.close();
  }
}

/** Past `lock.effect`, which would look again: the guard alone shall keep late holders out. */
async function act(lock: Hold): Promise<void> {
  const outcomes: PromiseSettledResult<void>[] = [];
  const width = resource.isConcurrent ? burst : 1;
  while (outcomes.length < burst) {
    const some = Array.from({ length: width }, () => resource.guarded(lock));
    outcomes.push(...(await Promise.allSettled(some)));
  }
  // The last of all: whoever stood still anywhere among them does this one late.
  await resource.bare(lock).catch(() => {});
  const taken = outcomes.filter(({ status }) => status === "fulfilled").length;
  const refused = outcomes.filter(isRefused).length;
  const { token } = lock;
  process.send?.({ token, taken, refused, unsure: burst - taken - refused } satisfies Effects);
}

function isRefused(outcome: PromiseSettledResult<void>): boolean {
  return (
    outcome.status === "rejected" && isTenfoldError(outcome.reason, "TENFOLD_COORDINATION_FENCED")
  );
}

process.on("disconnect", () => process.exit());
for (;;) {
  await hold().catch((error: unknown) => {
    if (!isTenfoldError(error)) throw error;
  });
}
