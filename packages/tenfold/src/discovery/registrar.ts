import type { Coordinator } from "../coordination/coordinator.ts";
import type { KeptSession } from "../coordination/kept-session.ts";
import { fleetKeys } from "../coordination/keys.ts";
import { joinGroup, type Membership } from "../coordination/membership.ts";
import type { Timer } from "../runtime/clock.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Member } from "./endpoint.ts";
import { formatMember, memberOf } from "./member.ts";
import { isWorthWriting, memberChangeDefaults } from "./member-change.ts";

export interface RegistrarOptions {
  readonly coordinator: Pick<Coordinator, "transact">;
  /** The entry lives as long as this session, and is put again under every new one. */
  readonly session: Pick<KeptSession, "onOpen">;
  readonly fleet: string;
  readonly member: Member;
  readonly runtime?: Partial<Runtime>;
}

/** What an instance may say anew of itself while it runs. */
export type MemberUpdate = Partial<Pick<Member, "weight" | "load" | "version">>;

/** Keeps one instance listed in the members map. */
export interface Registrar {
  /** Resolves when the entry stands for the first time; for ever open if deregistered before. */
  readonly registered: Promise<void>;
  /**
   * Says something anew, now or as soon as there is a session. Weight and version are written at
   * most once a second; a load at most every five seconds, and only when it really differs: the
   * coordinator is no message bus, so call it as often as you like.
   *
   * @throws TENFOLD_DISCOVERY_MEMBER_INVALID
   */
  update(change: MemberUpdate): void;
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

/** Between two writes of the same instance, whatever it says. */
const writeEveryMs = 1_000;

/**
 * Registers the member, and again after every loss of the session; not any more once another
 * instance of the same service and name has taken its place.
 */
export function createRegistrar(options: RegistrarOptions): Registrar {
  const { coordinator, session, fleet, member } = options;
  const runtime = runtimeWith(options.runtime);
  const key = fleetKeys(fleet).member(member.service, member.id);
  const value = formatMember(member);
  const entry = joinGroup({ coordinator, session, key, value, runtime });
  const words = pacedWords(entry, member, runtime);
  const deregister: Registrar["deregister"] = (waiting) => {
    words.stop();
    return entry.leave(waiting);
  };
  return {
    registered: entry.joined.then(() => words.written()),
    update: (change) => words.say(change),
    deregister,
    close: () => deregister(),
    [Symbol.asyncDispose]: () => deregister(),
  };
}

/** What an instance says of itself, handed on when it is worth a write and one is due. */
function pacedWords(entry: Membership, member: Member, { clock }: Runtime) {
  let [said, told] = [member, member];
  let toldAt = Number.NEGATIVE_INFINITY;
  let timer: Timer | undefined;
  let isOver = false;

  /** Milliseconds until what is said may be written; infinite when there is nothing to write. */
  const dueMs = (): number => {
    const sinceMs = clock.now() - toldAt;
    if (isWorthWriting(told, said, 0)) return writeEveryMs - sinceMs;
    if (!isWorthWriting(told, said, Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
    return memberChangeDefaults.loadEveryMs - sinceMs;
  };
  const tell = (): void => {
    timer?.cancel();
    timer = undefined;
    if (isOver) return;
    const waitMs = dueMs();
    if (waitMs > 0) {
      if (Number.isFinite(waitMs)) timer = clock.setTimer(waitMs, tell, { keepAlive: false });
      return;
    }
    told = said;
    toldAt = clock.now();
    entry.update(formatMember(said));
  };
  return {
    say(change: MemberUpdate): void {
      const { weight, load, version } = { ...said, ...change };
      said = memberOf({ ...said, weight, load, version });
      tell();
    },
    /** It stands now: what comes next waits its time. */
    written(): void {
      toldAt = clock.now();
    },
    stop(): void {
      isOver = true;
      timer?.cancel();
    },
  };
}
