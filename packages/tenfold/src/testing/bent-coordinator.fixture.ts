import type { Coordinator, Entry, Session, WatchBatch } from "../coordination/coordinator.ts";

/** What a broken coordinator may know of its link. */
export interface BrokenLink {
  /** Connections that were opened so far. */
  readonly connects: number;
  /** Another client, that has seen nothing. */
  reconnect(): Coordinator;
}

/** A coordinator that breaks one promise, so that the suite can be seen to notice. */
export interface BrokenCoordinator {
  /** The cases that must fail. */
  readonly fails: readonly string[];
  bend(client: Coordinator, link: BrokenLink): Coordinator;
}

export const isDelta = (batch: WatchBatch): boolean => batch.kind === "delta";

interface Told {
  readonly index: number;
  readonly last: WatchBatch | undefined;
}

export function withBatches(
  client: Coordinator,
  bend: (batch: WatchBatch, told: Told) => readonly WatchBatch[],
): Coordinator {
  return {
    ...client,
    async *watch(prefix, options) {
      let told: Told = { index: 0, last: undefined };
      for await (const batch of client.watch(prefix, options)) {
        yield* bend(batch, told);
        told = { index: told.index + 1, last: batch };
      }
    },
  };
}

export function withEntries(batch: WatchBatch, to: (entry: Entry) => Entry): WatchBatch {
  return {
    ...batch,
    entries: batch.entries.map(to),
    changes: batch.changes.map((one) =>
      one.kind === "put" ? { ...one, entry: to(one.entry) } : one,
    ),
  };
}

export function withSessions(
  client: Coordinator,
  bend: (session: Session, ttlMs: number) => PropertyDescriptorMap,
): Coordinator {
  return {
    ...client,
    async openSession(options) {
      const session = await client.openSession(options);
      return Object.create(session, bend(session, options.ttlMs)) as Session;
    },
  };
}

export async function createOnce(
  client: Coordinator,
  prefix: string,
  value: string,
  session?: Session,
) {
  for (;;) {
    const key = `${prefix}${Math.random()}`;
    const change = [{ put: key, value, ...(session && { session }) }];
    const result = await client.transact({ change });
    if (result.outcome === "applied") return { key, token: result.token };
  }
}
