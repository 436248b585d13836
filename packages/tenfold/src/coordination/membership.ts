import { errorText } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { backOff } from "./back-off.ts";
import type { Coordinator, Session } from "./coordinator.ts";
import type { KeptSession } from "./kept-session.ts";
import { type Notice, notice } from "./notice.ts";

export interface MembershipOptions {
  readonly coordinator: Pick<Coordinator, "transact">;
  /** The entry lives as long as this session, and is put again under every new one. */
  readonly session: Pick<KeptSession, "onOpen">;
  /** Where it stands: the group's folder and the member's own name, `…/members/posts/posts-2`. */
  readonly key: string;
  /** What others see of the member, usually JSON. */
  readonly value: string;
  readonly runtime?: Partial<Runtime>;
}

/** A member of a group. Who is there is the map under the folder: `watchedMap`. */
export interface Membership {
  /** Resolves when the entry stands for the first time; for ever open if left before. */
  readonly joined: Promise<void>;
  /** Lets others see another value: soon, and without those in between when they come fast. */
  update(value: string): void;
  /**
   * Takes the entry out. Waits for the coordinator up to `timeoutMs` (default 2,000); if that fails
   * the entry goes with the session. Idempotent, never throws.
   */
  leave(options?: { readonly timeoutMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** An entry as it was put. */
interface Standing {
  readonly session: Session;
  readonly value: string;
}

/**
 * Joins a group, and again after every loss of the session, with waits of random length between
 * attempts. When a later member of the same name takes the entry over, this one stays out.
 */
export function joinGroup(options: MembershipOptions): Membership {
  const entry = new GroupEntry(options);
  const stopListening = options.session.onOpen((session) => entry.keepUnder(session));
  let left: Promise<void> | undefined;
  const leave: Membership["leave"] = ({ timeoutMs = 2_000 } = {}) => {
    stopListening();
    left ??= entry.remove(timeoutMs);
    return left;
  };
  return {
    joined: entry.joined.promise,
    update: (value) => entry.say(value),
    leave,
    [Symbol.asyncDispose]: () => leave(),
  };
}

class GroupEntry {
  readonly joined = Promise.withResolvers<void>();
  readonly #coordinator: Pick<Coordinator, "transact">;
  readonly #runtime: Runtime;
  readonly #key: string;
  readonly #stop = new AbortController();
  readonly #changed: Notice = notice();
  readonly #keeping: Promise<void>;
  #value: string;
  #session: Session | undefined;
  /** What surely stands, unless others changed it. */
  #standing: Standing | undefined;
  /** Under which one it was last sent, noted before: the answer may be lost. */
  #sentUnder: Session | undefined;
  /** Where somebody removed it: it is put again only while nobody else stands there. */
  #goneUnder: Session | undefined;
  #isReplaced = false;

  constructor({ coordinator, key, value, runtime }: MembershipOptions) {
    this.#coordinator = coordinator;
    this.#runtime = runtimeWith(runtime);
    this.#key = key;
    this.#value = value;
    this.#keeping = this.#keep();
  }

  say(value: string): void {
    this.#value = value;
    this.#changed.notify();
  }

  keepUnder(session: Session): void {
    this.#session = session;
    this.#changed.notify();
  }

  async remove(timeoutMs: number): Promise<void> {
    const { log } = this.#runtime;
    const key = this.#key;
    this.#stop.abort();
    await this.#keeping;
    if (this.#sentUnder === undefined) return;
    // Only our own entry: a successor of the same name may stand there already.
    const when = [{ key, ownedBy: this.#sentUnder }];
    const change = [{ delete: key }];
    try {
      const { outcome } = await this.#coordinator.transact({ when, change }, { timeoutMs });
      log.info("left", { key, outcome });
    } catch (error) {
      log.warn("leaving failed; the entry ends with the session", { key, error: errorText(error) });
    }
  }

  async #keep(): Promise<void> {
    const { clock, random, log } = this.#runtime;
    const key = this.#key;
    const { signal } = this.#stop;
    const pause = backOff(random);
    while (!signal.aborted) {
      const session = this.#session;
      if (session === undefined || this.#isDone(session)) {
        await this.#changed.wait(signal);
        continue;
      }
      const isTold = await this.#put(session).catch((error: unknown) => {
        const isOver = signal.aborted || session.signal.aborted;
        if (!isOver) log.warn("joining failed", { key, error: errorText(error) });
        return false;
      });
      if (isTold) pause.reset();
      else await clock.sleep(pause.next(), { signal }).catch(() => {});
    }
  }

  #isDone(session: Session): boolean {
    const standing = this.#standing;
    const stands = standing?.session === session && standing.value === this.#value;
    return this.#isReplaced || session.signal.aborted || stands;
  }

  /** Puts what shall stand. False when that is to be tried again. */
  async #put(session: Session): Promise<boolean> {
    const { log } = this.#runtime;
    const [key, value] = [this.#key, this.#value];
    // The first one takes the name, whoever had it: a predecessor may not have expired yet. From
    // then on it is our own session's, or a successor of the same name has taken it over.
    const isFirst = this.#standing?.session !== session;
    this.#sentUnder = session;
    const signal = AbortSignal.any([this.#stop.signal, session.signal]);
    const isGone = this.#goneUnder === session;
    const mayTake = isGone ? [{ key, is: "absent" as const }] : [];
    const when = isFirst ? mayTake : [{ key, ownedBy: session }];
    const change = [{ put: key, value, session }];
    const result = await this.#coordinator.transact(
      { when, change, otherwiseRead: [key] },
      { signal },
    );
    if (result.outcome === "refused") {
      // Absent: somebody removed it by hand, and it is put again.
      this.#isReplaced = result.reads.length > 0;
      if (this.#isReplaced) log.warn("another member of the same name took over", { key });
      else [this.#standing, this.#goneUnder] = [undefined, session];
      return this.#isReplaced;
    }
    if (result.outcome === "indeterminate") return false;
    this.#goneUnder = undefined;
    this.#standing = { session, value };
    this.joined.resolve();
    if (isFirst) log.info("joined", { key, session: session.id });
    return true;
  }
}
