import type { Coordinator, Session } from "../coordination/coordinator.ts";
import { createKeptSession, type KeptSession } from "../coordination/kept-session.ts";
import type { Runtime } from "../runtime/runtime.ts";

/**
 * Sessions for entries with times to live of their own: one a class, a class a power of two of
 * seconds, so that any number of entries hang on ten sessions at most. A session outlives the
 * shortest entry on it, so that a registry that dies leaves time for another one to take over.
 */
export interface SessionClasses {
  /** The kept session for entries that live so long; opened when it is first asked for. */
  of(ttlMs: number): KeptSession;
  /** Renews them no more: what hangs on them stays until their time to live ends. */
  close(): Promise<void>;
}

/** @param onOpen called with every session that is opened, the first of a class too */
export function sessionClasses(
  coordinator: Pick<Coordinator, "openSession">,
  runtime: Runtime,
  onOpen: (session: Session, classMs: number) => void,
): SessionClasses {
  const classes = new Map<number, KeptSession>();
  return {
    of(ttlMs) {
      const classMs = sessionClassMs(ttlMs);
      const known = classes.get(classMs);
      if (known !== undefined) return known;
      const made = createKeptSession(coordinator, {
        ttlMs: classMs,
        atClose: "leave",
        runtime,
      });
      classes.set(classMs, made);
      made.onOpen((session) => onOpen(session, classMs));
      return made;
    },
    async close() {
      await Promise.all([...classes.values()].map((session) => session.close()));
    },
  };
}

/** The next power of two of seconds. */
export function sessionClassMs(ttlMs: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(ttlMs, 2_000) / 1_000)) * 1_000;
}
