import type { ServiceListing } from "../discovery/member-book.ts";
import type { Clock } from "../runtime/clock.ts";

export interface RegistryEventsOptions {
  /** What the reader had when its last connection ended: that is not sent again. */
  readonly lastEventId: string | undefined;
  readonly keepAliveMs: number;
  readonly clock: Pick<Clock, "setTimer">;
}

/**
 * Lists as server-sent events (WHATWG HTML, section 9.2): the current one first, then every other,
 * with its revision as id, and a comment in between so that nobody takes the silence for an end.
 */
export async function* registryEvents(
  listings: AsyncGenerator<ServiceListing>,
  { lastEventId, keepAliveMs, clock }: RegistryEventsOptions,
): AsyncGenerator<string> {
  yield "retry: 1000\n\n";
  let next = waiter(listings.next(), clock);
  try {
    for (;;) {
      const result = await next(keepAliveMs);
      if (result === undefined) {
        yield ": keep-alive\n\n";
        continue;
      }
      if (result.done) return;
      next = waiter(listings.next(), clock);
      const id = String(result.value.revision);
      if (id !== lastEventId) yield `id: ${id}\nevent: members\ndata: ${json(result.value)}\n\n`;
      else yield ": nothing has changed\n\n";
    }
  } finally {
    // Not awaited: it ends when the reader's signal fires, which may be after this.
    void listings.return(undefined);
  }
}

/** Revisions as text: they do not fit into the numbers of JSON. */
export function json(value: unknown): string {
  return JSON.stringify(value, (_key, each) => (typeof each === "bigint" ? String(each) : each));
}

/**
 * Waits for a promise repeatedly, each time for so long; undefined: not yet. With one handler
 * however often, since a promise keeps every handler until it settles.
 */
function waiter<Value>(
  promise: Promise<Value>,
  clock: Pick<Clock, "setTimer">,
): (timeoutMs: number) => Promise<Value | undefined> {
  let settled = false;
  let wake = (): void => {};
  const onSettled = (): void => {
    settled = true;
    wake();
  };
  promise.then(onSettled, onSettled);
  return async (timeoutMs) => {
    if (!settled) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(timeoutMs, resolve, { keepAlive: false });
        wake = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    return settled ? await promise : undefined;
  };
}
