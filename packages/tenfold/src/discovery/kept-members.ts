import { backOff } from "../coordination/back-off.ts";
import type {
  Change,
  Condition,
  Coordinator,
  Entry,
  Revision,
  Session,
} from "../coordination/coordinator.ts";
import { errorText } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Member } from "./endpoint.ts";
import { formatMember, parseMember } from "./member.ts";
import type { BookEntry } from "./member-book.ts";
import { nameTaken, unavailable } from "./registry-error.ts";
import { sessionClassMs } from "./session-classes.ts";

export type LeasedMember = Member & { readonly ttlMs: number };

/** An instance that lives by its heartbeats, and how it was last listed. */
export interface KeptMember {
  readonly key: string;
  readonly member: LeasedMember;
  readonly session: Session;
  /** Of its entry, as it was put. */
  readonly revision: Revision;
  readonly writtenAt: number;
  /** Until when without another heartbeat. */
  until: number;
}

export interface Put {
  readonly member: Member;
  /** Was there no entry before? */
  readonly created: boolean;
  readonly revision: Revision;
}

export interface KeptMembersOptions {
  readonly coordinator: Pick<Coordinator, "get" | "transact">;
  readonly timeoutMs: number;
  readonly runtime: Runtime;
}

export const keptMembersDefaults: { readonly sweepEveryMs: number; readonly sleptMs: number } =
  Object.freeze({
    /** How late an instance without heartbeats is taken out at most. */
    sweepEveryMs: 200,
    /** A sweep so late was asleep with its whole process, and heartbeats wait outside. */
    sleptMs: 1_000,
  });

/** Others may write the same entry meanwhile; more often than this means that they fight. */
const attemptsMax = 8;
const restoredAtOnce = 32;

/** What a registry keeps listed, as long as it is told of heartbeats. */
export class KeptMembers {
  readonly #options: KeptMembersOptions;
  readonly #kept = new Map<string, KeptMember>();
  /** How many puts of a key are under way: what they write is not to be taken out. */
  readonly #putting = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #sweeping: Promise<void>;

  constructor(options: KeptMembersOptions) {
    this.#options = options;
    this.#sweeping = this.#sweep();
  }

  get size(): number {
    return this.#kept.size;
  }

  get(key: string): KeptMember | undefined {
    return this.#kept.get(key);
  }

  /**
   * Lists a member under a session, whoever kept it before.
   * @throws TENFOLD_DISCOVERY_NAME_TAKEN, TENFOLD_COORDINATION_UNAVAILABLE
   */
  async put(key: string, said: LeasedMember, session: Session): Promise<Put> {
    this.#putting.set(key, (this.#putting.get(key) ?? 0) + 1);
    try {
      return await this.#put(key, said, session);
    } finally {
      const others = (this.#putting.get(key) ?? 1) - 1;
      if (others > 0) this.#putting.set(key, others);
      else this.#putting.delete(key);
    }
  }

  async #put(key: string, said: LeasedMember, session: Session): Promise<Put> {
    let member = said;
    let created = true;
    const written = this.#write(key, (entry) => {
      created = entry === undefined;
      const before = entry?.member;
      // Whoever says the same of itself again has not been started anew.
      const goesOn = before?.address === said.address && before.port === said.port;
      member = goesOn ? { ...said, startedAtMs: before.startedAtMs } : said;
      const value = formatMember(member);
      // What is not kept here may be taken out this moment, at its revision: that must change.
      const isKept = entry !== undefined && entry.revision === this.#kept.get(key)?.revision;
      const stands = isKept && entry.value === value && entry.sessionId === session.id;
      return stands ? undefined : { put: key, value, session };
    });
    const revision = await written.catch((error: unknown) => {
      // It may have been applied, and nobody would keep it.
      void this.#takeOut(key, session);
      throw error;
    });
    const writtenAt = this.#options.runtime.clock.now();
    const until = writtenAt + member.ttlMs;
    this.#kept.set(key, { key, member, session, revision, writtenAt, until });
    return { member, created, revision };
  }

  /** @throws TENFOLD_DISCOVERY_NAME_TAKEN, TENFOLD_COORDINATION_UNAVAILABLE */
  async remove(key: string): Promise<void> {
    this.#kept.delete(key);
    await this.#write(key, (entry) => (entry === undefined ? undefined : { delete: key }));
  }

  /** After a lost session its entries are gone, or will be: they are put under the new one. */
  async restore(session: Session, classMs: number): Promise<void> {
    const lost = [...this.#kept.values()].filter(
      (kept) => kept.session !== session && sessionClassMs(kept.member.ttlMs) === classMs,
    );
    const signal = AbortSignal.any([this.#stop.signal, session.signal]);
    for (let at = 0; at < lost.length && !signal.aborted; at += restoredAtOnce) {
      const some = lost.slice(at, at + restoredAtOnce);
      await Promise.all(some.map((kept) => this.#restoreOne(kept, session, signal)));
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#sweeping;
  }

  async #restoreOne(kept: KeptMember, session: Session, signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options.runtime;
    const { key } = kept;
    const pause = backOff(random);
    const value = formatMember(kept.member);
    let failed = false;
    while (!signal.aborted && this.#kept.get(key) === kept) {
      try {
        let others = false;
        const revision = await this.#write(key, (entry) => {
          const owner = entry?.sessionId;
          const isFree = entry === undefined || owner === kept.session.id;
          // A heartbeat that came meanwhile has put it under the new session, and knows better.
          others = !isFree && owner !== session.id;
          return isFree ? { put: key, value, session } : undefined;
        });
        // Another registry keeps it by now: its revision is not ours to expire by.
        if (others) return;
        const now = this.#kept.get(key);
        if (now === kept) this.#kept.set(key, { ...kept, session, revision });
        // It expired, or was taken out, meanwhile.
        else if (now === undefined) void this.#takeOut(key, session, revision);
        return;
      } catch (error) {
        failed = true;
        log.warn("listing again failed", { key, error: errorText(error) });
      }
      await clock.sleep(pause.next(), { signal }).catch(() => {});
    }
    // An attempt whose answer was lost may have been applied.
    if (failed) void this.#takeOut(key, session);
  }

  /** Changes an entry as it is now; `decide` is asked again when others were faster. */
  async #write(
    key: string,
    decide: (entry: BookEntry | undefined) => Change | undefined,
  ): Promise<Revision> {
    const { coordinator, timeoutMs } = this.#options;
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      const found = await coordinator.get(key, { timeoutMs });
      const entry = found && bookEntry(found);
      if (entry !== undefined && entry.member.ttlMs === undefined) throw nameTaken(key);
      const change = decide(entry);
      if (change === undefined) return entry?.revision ?? 0n;
      const when: Condition =
        entry === undefined ? { key, is: "absent" } : { key, revision: entry.revision };
      const result = await coordinator.transact({ when: [when], change: [change] }, { timeoutMs });
      if (result.outcome === "applied") return result.revision;
    }
    throw unavailable("the entry is written by several at once");
  }

  async #sweep(): Promise<void> {
    const { clock } = this.#options.runtime;
    const { signal } = this.#stop;
    const { sweepEveryMs, sleptMs } = keptMembersDefaults;
    let lastAt = clock.now();
    while (!signal.aborted) {
      await clock.sleep(sweepEveryMs, { signal }).catch(() => {});
      const now = clock.now();
      const lateMs = now - lastAt - sweepEveryMs;
      lastAt = now;
      for (const kept of [...this.#kept.values()]) {
        if (lateMs > sleptMs) kept.until += lateMs;
        if (kept.until > now || signal.aborted) continue;
        this.#kept.delete(kept.key);
        const { key, session, revision } = kept;
        void this.#takeOut(key, session, revision);
      }
    }
  }

  /**
   * Takes out what nobody keeps here any more, unless another registry keeps it by now.
   * @param revision of what is meant; left out, whatever the session owns
   */
  async #takeOut(key: string, session: Session, revision?: Revision): Promise<void> {
    const { clock, random, log } = this.#options.runtime;
    const { coordinator, timeoutMs } = this.#options;
    const isOurs = (): boolean => !this.#kept.has(key) && !this.#putting.has(key);
    const signal = AbortSignal.any([this.#stop.signal, session.signal]);
    const pause = backOff(random);
    while (!signal.aborted && !this.#kept.has(key)) {
      try {
        const meant = revision ?? (await this.#ownedRevision(key, session));
        if (meant === undefined) return;
        if (isOurs()) {
          const transaction = { when: [{ key, revision: meant }], change: [{ delete: key }] };
          const { outcome } = await coordinator.transact(transaction, { signal, timeoutMs });
          log.info("nobody keeps it here", { key, outcome });
          if (outcome !== "indeterminate") return;
        }
      } catch (error) {
        log.warn("an instance without heartbeats stays listed", { key, error: errorText(error) });
      }
      await clock.sleep(pause.next(), { signal }).catch(() => {});
    }
  }

  async #ownedRevision(key: string, session: Session): Promise<Revision | undefined> {
    const { coordinator, timeoutMs } = this.#options;
    const found = await coordinator.get(key, { timeoutMs });
    return found?.sessionId === session.id ? found.revision : undefined;
  }
}

function bookEntry({ key, value, revision, sessionId }: Entry): BookEntry {
  try {
    return { member: parseMember(value), value, revision, sessionId };
  } catch {
    // Whatever it is, it is none of ours to write over.
    throw nameTaken(key);
  }
}
