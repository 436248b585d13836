import type { Coordinator, Session } from "../coordination/coordinator.ts";
import { errorText } from "../runtime/errors.ts";
import { trueNow } from "./client-process.ts";

/** What the holder of a session was sure of, and when, by `trueNow`. */
export interface Claim {
  /** Taken before it asked its session. */
  readonly at: number;
  readonly isValid: boolean;
}

export type ClientCommand =
  /** Opens a session, puts the key under it, and tells every 10 ms whether it holds. */
  | { readonly do: "hold"; readonly ttlMs: number; readonly key: string }
  /** Opens as many sessions, each with a key. */
  | {
      readonly do: "crowd";
      readonly ttlMs: number;
      readonly prefix: string;
      readonly count: number;
    }
  /** Blocks its event loop, and asks its session before anything else can run. */
  | { readonly do: "block"; readonly ms: number }
  /** Joins the queue under a prefix. */
  | { readonly do: "queue"; readonly ttlMs: number; readonly prefix: string }
  /** Asks its session, stops itself (SIGSTOP), and reports when it goes on. */
  | { readonly do: "stopBeforeEffect" };

export type ClientReport =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly key?: string; readonly token?: string }
  | { readonly kind: "failed"; readonly error: string }
  | ({ readonly kind: "claim" } & Claim);

/** A client that does what its parent says (see `client-process.ts`), until that is gone. */
const { CLIENT_MODULE, CLIENT_SETTINGS } = process.env;
const claimEveryMs = 10;
/** Long enough for a slow machine. */
const timeoutMs = 20_000;

interface Module {
  connect(settings: unknown): Coordinator | Promise<Coordinator>;
}

const module = (await import(CLIENT_MODULE as string)) as Module;
const client = await module.connect(JSON.parse(CLIENT_SETTINGS as string));
let held: Session | undefined;
let isClaiming = false;

const tell = (report: ClientReport): void => void process.send?.(report);

/** The time first: what is asked after it cannot have been true later. */
function claim(): void {
  if (held === undefined) return;
  const at = trueNow();
  tell({ kind: "claim", at, isValid: holds(held) });
}

function holds(session: Session): boolean {
  try {
    session.assertValid();
    return true;
  } catch {
    return false;
  }
}

async function putUnder(session: Session, key: string): Promise<void> {
  const { outcome } = await client.transact(
    { change: [{ put: key, value: String(process.pid), session }] },
    { timeoutMs },
  );
  if (outcome !== "applied") throw new Error(`the put of ${key} was ${outcome}`);
}

async function carryOut(command: ClientCommand): Promise<Omit<ClientReport, "kind">> {
  switch (command.do) {
    case "hold": {
      held = await client.openSession({ ttlMs: command.ttlMs, timeoutMs });
      await putUnder(held, command.key);
      claim();
      if (!isClaiming) setInterval(claim, claimEveryMs);
      isClaiming = true;
      return {};
    }
    case "crowd": {
      const join = async (i: number): Promise<void> => {
        const session = await client.openSession({ ttlMs: command.ttlMs, timeoutMs });
        await putUnder(session, `${command.prefix}${i}`);
      };
      await Promise.all(Array.from({ length: command.count }, (_, i) => join(i)));
      return {};
    }
    case "block": {
      // Answered first: afterwards it can answer nothing.
      setImmediate(() => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, command.ms);
        claim();
      });
      return {};
    }
    case "queue": {
      held = await client.openSession({ ttlMs: command.ttlMs, timeoutMs });
      const entry = { prefix: command.prefix, value: "", session: held };
      return await client.createOrdered(entry, { timeoutMs });
    }
    case "stopBeforeEffect": {
      held?.assertValid();
      process.kill(process.pid, "SIGSTOP");
      return {};
    }
  }
}

process.on("message", (command: ClientCommand) => {
  carryOut(command).then(
    (done) => tell({ kind: "done", ...done }),
    (error: unknown) => tell({ kind: "failed", error: errorText(error) }),
  );
});
process.on("disconnect", () => process.exit());
tell({ kind: "ready" });
