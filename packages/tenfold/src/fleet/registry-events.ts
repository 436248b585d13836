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
  let next = listings.next();
  try {
    for (;;) {
      const result = await within(next, keepAliveMs, clock);
      if (result === undefined) {
        yield ": keep-alive\n\n";
        continue;
      }
      if (result.done) return;
      next = listings.next();
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

function within<Value>(
  promise: Promise<Value>,
  timeoutMs: number,
  clock: Pick<Clock, "setTimer">,
): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(timeoutMs, () => resolve(undefined), { keepAlive: false });
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
