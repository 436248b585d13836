import { expect, test, vi } from "vitest";

import type { ServiceListing } from "../discovery/member-book.ts";
import { virtualClock } from "../simulation/virtual-clock.ts";
import { registryEvents } from "./registry-events.ts";

test("a quiet service costs a comment at every keep-alive, and no memory", async () => {
  const clock = virtualClock();
  const { promise: pending, resolve } = Promise.withResolvers<IteratorResult<ServiceListing>>();
  const handlers = vi.spyOn(pending, "then");
  const listings = (async function* (): AsyncGenerator<ServiceListing> {})();
  vi.spyOn(listings, "next").mockReturnValueOnce(pending);
  const events = registryEvents(listings, { lastEventId: undefined, keepAliveMs: 100, clock });
  expect((await events.next()).value).toBe("retry: 1000\n\n");
  const counts: number[] = [];
  for (let quiet = 0; quiet < 5; quiet++) {
    const event = events.next();
    await clock.advance(100);
    expect((await event).value).toBe(": keep-alive\n\n");
    counts.push(handlers.mock.calls.length);
  }
  expect(new Set(counts)).toEqual(new Set(counts.slice(0, 1)));
  const event = events.next();
  resolve({ done: false, value: { service: "billing", revision: 7n, members: [] } });
  expect((await event).value).toMatch(/^id: 7\nevent: members\ndata: /);
  expect((await events.next()).done).toBe(true);
});
