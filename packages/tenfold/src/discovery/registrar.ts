import { backOff } from "../coordination/back-off.ts";
import type { Coordinator, Revision, Session } from "../coordination/coordinator.ts";
import type { KeptSession } from "../coordination/kept-session.ts";
import { fleetKeys } from "../coordination/keys.ts";
import { errorText } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Member } from "./endpoint.ts";
import { formatMember } from "./member.ts";

export interface RegistrarOptions {
  readonly coordinator: Pick<Coordinator, "transact">;
  /** The entry lives as long as this session, and is put again under every new one. */
  readonly session: Pick<KeptSession, "onOpen">;
  readonly fleet: string;
  readonly member: Member;
  readonly runtime?: Partial<Runtime>;
}

/** Keeps one instance listed in the members map. */
export interface Registrar {
  /** Resolves when the entry stands for the first time; for ever open if deregistered before. */
  readonly registered: Promise<void>;
  /**
   * Takes the entry out, for a drain: callers stop choosing the instance. Waits for the
   * coordinator up to `timeoutMs` (default 2,000); if that fails the entry goes with the session.
   * Idempotent, never throws.
   */
  deregister(options?: { readonly timeoutMs?: number }): Promise<void>;
  /** The same as `deregister`. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Registers the member, and again after every loss of the session. */
export function createRegistrar(options: RegistrarOptions): Registrar {
  const { coordinator, member } = options;
  const { clock, random, log } = runtimeWith(options.runtime);
  const key = fleetKeys(options.fleet).member(member.service, member.id);
  const value = formatMember(member);
  const stop = new AbortController();
  const registered = Promise.withResolvers<void>();
  let standing: Revision | undefined;
  let putting: Promise<void> = Promise.resolve();

  const put = async (session: Session): Promise<void> => {
    const signal = AbortSignal.any([stop.signal, session.signal]);
    const pause = backOff(random);
    while (!signal.aborted) {
      try {
        const result = await coordinator.transact(
          { change: [{ put: key, value, session }] },
          { signal },
        );
        if (result.outcome === "applied") {
          standing = result.revision;
          registered.resolve();
          log.info("registered", { key, session: session.id });
          return;
        }
      } catch (error) {
        if (signal.aborted) return;
        log.warn("registering failed", { key, error: errorText(error) });
      }
      await clock.sleep(pause.next(), { signal }).catch(() => {});
    }
  };
  const stopListening = options.session.onOpen((session) => {
    putting = put(session);
  });

  const remove = async (timeoutMs: number): Promise<void> => {
    stopListening();
    stop.abort();
    await putting;
    if (standing === undefined) return;
    // Only our own entry: a successor of the same name may stand there already.
    const when = [{ key, revision: standing }];
    try {
      const result = await coordinator.transact({ when, change: [{ delete: key }] }, { timeoutMs });
      log.info("deregistered", { key, outcome: result.outcome });
    } catch (error) {
      log.warn("deregistering failed", { key, error: errorText(error) });
    }
  };
  let removed: Promise<void> | undefined;
  const deregister: Registrar["deregister"] = ({ timeoutMs = 2_000 } = {}) => {
    removed ??= remove(timeoutMs);
    return removed;
  };
  return {
    registered: registered.promise,
    deregister,
    close: () => deregister(),
    [Symbol.asyncDispose]: () => deregister(),
  };
}
