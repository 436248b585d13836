import type { Entry, Revision, WatchBatch } from "../coordination/coordinator.ts";
import { type Notice, notice } from "../coordination/notice.ts";
import { errorText } from "../runtime/errors.ts";
import type { Log } from "../runtime/log.ts";
import type { Member } from "./endpoint.ts";
import { parseMember } from "./member.ts";

/** An entry of the members map with what keeps it. */
export interface BookEntry {
  readonly member: Member;
  /** Its text, to see whether it changed. */
  readonly value: string;
  readonly revision: Revision;
  readonly sessionId: string | undefined;
}

/** The instances of one service, as of a revision that grows with every change of them. */
export interface ServiceListing {
  readonly service: string;
  readonly revision: Revision;
  readonly members: readonly Member[];
}

/** The members map of a fleet by service. Fed with the batches of a watch. */
export interface MemberBook {
  /** As of when; undefined until the first batch. */
  readonly revision: Revision | undefined;
  apply(batch: WatchBatch): void;
  entry(key: string): BookEntry | undefined;
  /** Every service that has an instance, by name. */
  services(): readonly ServiceListing[];
  /** With an empty list for a service that has none. */
  listing(service: string): ServiceListing;
  /** Goes round once now, then after every batch; those that came meanwhile are one. */
  rounds(signal: AbortSignal): AsyncGenerator<void>;
}

interface ServiceRows {
  readonly entries: Map<string, BookEntry>;
  readonly revision: Revision;
}

/** @param prefix of the members map; what follows it in a key is `SERVICE/INSTANCE` */
export function memberBook(prefix: string, log: Log): MemberBook {
  const services = new Map<string, ServiceRows>();
  const waiting = new Set<Notice>();
  let revision: Revision | undefined;
  /** When a service last lost its last instance: nothing else is kept of those that are gone. */
  let emptiedAt: Revision = 0n;

  const serviceOf = (key: string): string => key.slice(prefix.length).split("/", 1)[0] ?? "";
  const read = ({ key, value, revision: written, sessionId }: Entry): BookEntry | undefined => {
    try {
      return { member: parseMember(value), value, revision: written, sessionId };
    } catch (error) {
      log.warn("left out an unreadable entry", { key, error: errorText(error) });
      return undefined;
    }
  };
  const replace = (key: string, entry: BookEntry | undefined, at: Revision): void => {
    const service = serviceOf(key);
    const entries = services.get(service)?.entries ?? new Map<string, BookEntry>();
    if (entry === undefined) entries.delete(key);
    else entries.set(key, entry);
    if (entries.size > 0) {
      services.set(service, { entries, revision: at });
    } else {
      services.delete(service);
      emptiedAt = at;
    }
  };
  const listing = (service: string): ServiceListing => {
    const rows = services.get(service);
    const entries = [...(rows?.entries ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    const members = entries.map(([, { member }]) => member);
    return { service, revision: rows?.revision ?? emptiedAt, members };
  };

  return {
    get revision() {
      return revision;
    },
    apply(batch) {
      for (const change of batch.changes) {
        const [key, entry] =
          change.kind === "put" ? [change.entry.key, read(change.entry)] : [change.key, undefined];
        replace(key, entry, batch.revision);
      }
      revision = batch.revision;
      for (const each of waiting) each.notify();
    },
    entry: (key) => services.get(serviceOf(key))?.entries.get(key),
    services: () => [...services.keys()].sort().map(listing),
    listing,
    async *rounds(signal) {
      const changed = notice();
      waiting.add(changed);
      try {
        let isOn = !signal.aborted;
        while (isOn) {
          yield;
          isOn = await changed.wait(signal);
        }
      } finally {
        changed.close();
        waiting.delete(changed);
      }
    },
  };
}
