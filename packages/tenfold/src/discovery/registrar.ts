import { backOff } from "../coordination/back-off.ts";
import type { Condition, Coordinator, Session } from "../coordination/coordinator.ts";
import type { KeptSession } from "../coordination/kept-session.ts";
import { fleetKeys } from "../coordination/keys.ts";
import { type Notice, notice } from "../coordination/notice.ts";
import { errorText } from "../runtime/errors.ts";
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

/** Registers the member, and again after every loss of the session. */
export function createRegistrar(options: RegistrarOptions): Registrar {
  const entry = new MemberEntry(options);
  const stopListening = options.session.onOpen((session) => entry.keepUnder(session));
  let removed: Promise<void> | undefined;
  const deregister: Registrar["deregister"] = ({ timeoutMs = 2_000 } = {}) => {
    stopListening();
    removed ??= entry.remove(timeoutMs);
    return removed;
  };
  return {
    registered: entry.registered.promise,
    update: (change) => entry.say(change),
    deregister,
    close: () => deregister(),
    [Symbol.asyncDispose]: () => deregister(),
  };
}

class MemberEntry {
  readonly registered = Promise.withResolvers<void>();
  readonly #coordinator: Pick<Coordinator, "transact">;
  readonly #runtime: Runtime;
  readonly #key: string;
  readonly #stop = new AbortController();
  readonly #changed: Notice = notice();
  /** What the instance says of itself now. */
  #said: Member;
  /** What was last written, when, and under which session. */
  #written: Member;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #session: Session | undefined;
  #keeping: Promise<void> = Promise.resolve();

  constructor({ coordinator, fleet, member, runtime }: RegistrarOptions) {
    this.#coordinator = coordinator;
    this.#runtime = runtimeWith(runtime);
    this.#key = fleetKeys(fleet).member(member.service, member.id);
    this.#said = member;
    this.#written = member;
  }

  say(change: MemberUpdate): void {
    const { weight, load, version } = { ...this.#said, ...change };
    this.#said = memberOf({ ...this.#said, weight, load, version });
    this.#changed.notify();
  }

  keepUnder(session: Session): void {
    const signal = AbortSignal.any([this.#stop.signal, session.signal]);
    this.#keeping = this.#keep(session, signal);
  }

  async remove(timeoutMs: number): Promise<void> {
    const { log } = this.#runtime;
    const key = this.#key;
    this.#stop.abort();
    await this.#keeping;
    if (this.#session === undefined) return;
    // Only our own entry: a successor of the same name may stand there already.
    const when = [{ key, ownedBy: this.#session }];
    try {
      const change = [{ delete: key }];
      const result = await this.#coordinator.transact({ when, change }, { timeoutMs });
      log.info("deregistered", { key, outcome: result.outcome });
    } catch (error) {
      log.warn("deregistering failed", { key, error: errorText(error) });
    }
  }

  /** Puts the entry under a session, and then every change of it worth a write. */
  async #keep(session: Session, signal: AbortSignal): Promise<void> {
    // The first write takes the name, whoever had it: a predecessor may not have expired yet.
    if (!(await this.#write(session, [], signal))) return;
    this.#runtime.log.info("registered", { key: this.#key, session: session.id });
    this.registered.resolve();
    while (!signal.aborted) {
      const dueMs = this.#dueMs();
      if (dueMs > 0) await this.#wait(dueMs, signal);
      else if (!(await this.#write(session, [{ key: this.#key, ownedBy: session }], signal)))
        return;
    }
  }

  /** Milliseconds until what is said may be written; infinite when there is nothing to write. */
  #dueMs(): number {
    const sinceMs = this.#runtime.clock.now() - this.#writtenAt;
    const [written, said] = [this.#written, this.#said];
    if (isWorthWriting(written, said, 0)) return writeEveryMs - sinceMs;
    if (!isWorthWriting(written, said, Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
    return memberChangeDefaults.loadEveryMs - sinceMs;
  }

  async #wait(dueMs: number, signal: AbortSignal): Promise<void> {
    const wake = () => this.#changed.notify();
    const timer = Number.isFinite(dueMs)
      ? this.#runtime.clock.setTimer(dueMs, wake, { keepAlive: false })
      : undefined;
    await this.#changed.wait(signal);
    timer?.cancel();
  }

  /** @returns whether the entry is ours */
  async #write(
    session: Session,
    when: readonly Condition[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock, random, log } = this.#runtime;
    const key = this.#key;
    const pause = backOff(random);
    while (!signal.aborted) {
      const said = this.#said;
      const change = [{ put: key, value: formatMember(said), session }];
      // Noted before it is sent: the answer may be lost.
      this.#session = session;
      try {
        const { outcome } = await this.#coordinator.transact({ when, change }, { signal });
        if (outcome === "applied") {
          this.#written = said;
          this.#writtenAt = clock.now();
          return true;
        }
        if (outcome === "refused") {
          log.warn("another process has taken the entry", { key });
          return false;
        }
      } catch (error) {
        if (signal.aborted) break;
        log.warn("registering failed", { key, error: errorText(error) });
      }
      await clock.sleep(pause.next(), { signal }).catch(() => {});
    }
    return false;
  }
}
