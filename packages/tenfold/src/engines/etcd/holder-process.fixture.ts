import { coordinatorFence } from "../../coordination/coordinator-fence.ts";
import { createCandidate } from "../../coordination/election.ts";
import type { Hold } from "../../coordination/hold.ts";
import { createKeptSession } from "../../coordination/kept-session.ts";
import { acquireLock } from "../../coordination/lock.ts";
import { TenfoldError } from "../../runtime/errors.ts";
import { connectEtcd } from "./client.ts";

/** What the process is for; in `HOLDER` as JSON. */
export interface HolderSettings {
  readonly endpoints: string;
  readonly token: string | undefined;
  readonly prefix: string;
  readonly name: string;
  readonly kind: "lock" | "election";
}

/** Asks a holder to write its name at `key`, through the fence or not, frozen half way or not. */
export interface Act {
  readonly key: string;
  readonly isFenced: boolean;
  readonly freezes: boolean;
}

export type Told =
  | { readonly holds: string }
  | { readonly acted: "done" | "refused" | string }
  | { readonly lost: string };

const settings = JSON.parse(process.env.HOLDER ?? "") as HolderSettings;
const { endpoints, token, prefix, name, kind } = settings;
const coordinator = connectEtcd({ endpoints, token });
const kept = createKeptSession(coordinator, { ttlMs: 2_000 });
const tell = (told: Told): void => void process.send?.(told);

async function act(hold: Hold, { key, isFenced, freezes }: Act): Promise<void> {
  const change = [{ put: key, value: `${name} ${hold.token}` }];
  // The clock cannot tell: the check came before, the write comes after.
  const freeze = (): void => void (freezes && process.kill(process.pid, "SIGSTOP"));
  try {
    if (isFenced) {
      await hold.effect(coordinatorFence(coordinator), async (transact) => {
        freeze();
        await transact({ change });
      });
    } else {
      await hold.effect({ unfenced: "to show what a fence is for" }, async () => {
        freeze();
        await coordinator.transact({ change });
      });
    }
    tell({ acted: "done" });
  } catch (error) {
    tell({ acted: error instanceof TenfoldError ? error.code : String(error) });
  }
}

async function hold(held: Hold): Promise<void> {
  const onAct = (asked: Act): void => void act(held, asked);
  process.on("message", onAct);
  tell({ holds: held.token });
  await new Promise((lost) => held.signal.addEventListener("abort", lost, { once: true }));
  process.off("message", onAct);
  tell({ lost: held.token });
}

process.on("disconnect", () => process.exit(0));
const session = await kept.opened();
if (kind === "lock") {
  await hold(await acquireLock(coordinator, { prefix, session, value: name }));
} else {
  createCandidate({
    coordinator,
    prefix,
    session: () => kept.current ?? session,
    value: name,
    lead: hold,
  });
}
