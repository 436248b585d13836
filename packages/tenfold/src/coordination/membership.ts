import { errorText } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { backOff } from "./back-off.ts";
import type { Coordinator, Session } from "./coordinator.ts";
import type { KeptSession } from "./kept-session.ts";
import { notice } from "./notice.ts";

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

/** What stands in the coordinator. */
interface Standing {
  readonly session: Session;
  readonly value: string;
}

/**
 * Joins a group, and again after every loss of the session, with waits of random length between
 * attempts. When a later member of the same name takes the entry over, this one stays out.
 */
export function joinGroup(options: MembershipOptions): Membership {
  const { coordinator, key } = options;
  const { clock, random, log } = runtimeWith(options.runtime);
  const stop = new AbortController();
  const joined = Promise.withResolvers<void>();
  const changed = notice();
  let { value } = options;
  let session: Session | undefined;
  let standing: Standing | undefined;
  let isReplaced = false;

  /** Puts what shall stand. False when that did not succeed and may be tried again. */
  const put = async (under: Session, shall: string): Promise<boolean> => {
    const isFirst = standing?.session !== under;
    // Of our own session, or a successor of the same name has taken it over.
    const when = isFirst ? [] : [{ key, ownedBy: under }];
    const signal = AbortSignal.any([stop.signal, under.signal]);
    const change = [{ put: key, value: shall, session: under }];
    const asked = { when, change, otherwiseRead: [key] };
    const result = await coordinator.transact(asked, { signal });
    if (result.outcome === "indeterminate") return false;
    if (result.outcome === "refused") {
      // Absent: somebody removed it by hand, and it is put again.
      isReplaced = result.reads.length > 0;
      if (isReplaced) log.warn("another member of the same name took over", { key });
      else standing = undefined;
      return isReplaced;
    }
    standing = { session: under, value: shall };
    joined.resolve();
    if (isFirst) log.info("joined", { key, session: under.id });
    return true;
  };
  const isDone = (): boolean =>
    isReplaced ||
    session === undefined ||
    session.signal.aborted ||
    (standing?.session === session && standing.value === value);
  const run = async (): Promise<void> => {
    const pause = backOff(random);
    while (!stop.signal.aborted) {
      if (isDone()) {
        await changed.wait(stop.signal);
        continue;
      }
      const under = session as Session;
      const stands = await put(under, value).catch((error: unknown) => {
        const isOver = stop.signal.aborted || under.signal.aborted;
        if (!isOver) log.warn("joining failed", { key, error: errorText(error) });
        return false;
      });
      if (stands) pause.reset();
      else await clock.sleep(pause.next(), { signal: stop.signal }).catch(() => {});
    }
  };
  const stopListening = options.session.onOpen((opened) => {
    session = opened;
    changed.notify();
  });
  const running = run();

  const remove = async (timeoutMs: number): Promise<void> => {
    stopListening();
    stop.abort();
    await running;
    if (standing === undefined) return;
    // Only our own entry: a successor of the same name may stand there already.
    const when = [{ key, ownedBy: standing.session }];
    try {
      const result = await coordinator.transact({ when, change: [{ delete: key }] }, { timeoutMs });
      log.info("left", { key, outcome: result.outcome });
    } catch (error) {
      log.warn("leaving failed; the entry ends with the session", { key, error: errorText(error) });
    }
  };
  let left: Promise<void> | undefined;
  const leave: Membership["leave"] = ({ timeoutMs = 2_000 } = {}) => {
    left ??= remove(timeoutMs);
    return left;
  };
  return {
    joined: joined.promise,
    update(next) {
      value = next;
      changed.notify();
    },
    leave,
    [Symbol.asyncDispose]: () => leave(),
  };
}
