import type { Change, Coordinator, Entry, Session } from "../coordination/coordinator.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import {
  type BrokenCoordinator,
  createOnce,
  isDelta,
  withBatches,
  withEntries,
  withSessions,
} from "./bent-coordinator.fixture.ts";

/** Seen when the link or the server fails, or a process stops: on a real server. */
export const brokenOutside: Readonly<Record<string, BrokenCoordinator>> = {
  "waits twice its time before it gives up": {
    fails: [
      "a black hole: the holder knows of its loss before the server acts on it",
      "a link that resets: the holder knows of its loss before the server acts on it",
      "a link that no longer carries what the holder says: it knows before the server acts",
      "a link that carries no answers: the holder knows before the server acts",
    ],
    bend: (client) => withSessions(client, (session, ttlMs) => lasting(session, () => 2 * ttlMs)),
  },
  "counts its time from the answer": {
    fails: ["slow answers, then none: validity counts from when a renewal was sent"],
    bend: countingFromTheAnswer,
  },
  "believes its timers": {
    fails: [
      "a holder that was stopped knows when it goes on",
      "a holder whose event loop was blocked knows before anything else runs",
    ],
    bend: (client) => withSessions(client, believingTimers),
  },
  "stretches its time by a third": {
    fails: ["a holder whose clocks run 5 % slow believes no longer than the server"],
    bend: (client) => withSessions(client, (session, ttlMs) => lasting(session, () => ttlMs / 3)),
  },
  "goes by the wall clock": {
    fails: ["a holder whose wall clock steps back a minute believes no longer than the server"],
    bend: (client) =>
      withSessions(client, (session) => {
        const offset = Date.now() - performance.now();
        return lasting(session, () => performance.now() - (Date.now() - offset));
      }),
  },
  "gives up at the first doubt": {
    fails: ["a session suspended and recovered in time is the same, with its entries"],
    bend: (client) =>
      withSessions(client, (session) => ({
        state: {
          get() {
            if (session.state === "suspended") void session.close();
            return session.state;
          },
        },
      })),
  },
  "never lets a session expire": {
    fails: ["without tokens a holder stopped before its effect does harm"],
    bend: (client) => ({
      ...client,
      openSession: (options) => client.openSession({ ...options, ttlMs: 3_600_000 }),
    }),
  },
  "creates again when an answer is lost": {
    fails: ["an entry of a queue whose answer is lost is there once, or not at all"],
    bend: (client) => ({
      ...client,
      createOrdered: ({ prefix, value, session }) => createOnce(client, prefix, value, session),
    }),
  },
  "goes on from the head of the store": {
    fails: [
      "no last state is lost over cuts at any byte",
      "each server is restarted in turn: watches miss nothing, no acknowledged write is lost",
    ],
    bend: (client, link) => {
      let known = link.connects;
      return withBatches(client, (batch) => {
        const isAfterCut = isDelta(batch) && link.connects > known;
        known = link.connects;
        return isAfterCut ? [] : [batch];
      });
    },
  },
  "takes a key made again for the old one": {
    fails: ["a key deleted and made again during a cut has its new create revision"],
    bend: (client) => {
      const made = new Map<string, Entry>();
      return withBatches(client, (batch) => [
        withEntries(batch, (entry) => {
          if (!made.has(entry.key)) made.set(entry.key, entry);
          return { ...entry, createRevision: (made.get(entry.key) as Entry).createRevision };
        }),
      ]);
    },
  },
  "leaves the difference out of a later snapshot": {
    fails: [
      "after a compaction during a cut there is a snapshot with the difference",
      "a reader so slow that its history is gone gets a snapshot with the difference",
    ],
    bend: (client) =>
      withBatches(client, (batch, { index }) =>
        isDelta(batch) || index === 0 ? [batch] : [{ ...batch, changes: [] }],
      ),
  },
  "forgets what it has seen of a store": {
    fails: [
      "an older backup put back is recognised, nothing is done until somebody vouches for it",
    ],
    bend: (client, link) => ({
      ...client,
      async get(key, options) {
        return client.get(key, options).catch((error: unknown) => {
          if (!isTenfoldError(error, "TENFOLD_COORDINATION_STORE_REPLACED")) throw error;
          return link.reconnect().get(key, options);
        });
      },
    }),
  },
  "ties one entry in fifty to nothing": {
    fails: ["the sessions of a killed process all expire, others and all watches go on"],
    bend: (client) => {
      let puts = 0;
      return {
        ...client,
        transact: ({ change, ...rest }, options) => {
          const untied = change.map((one) => (++puts % 50 === 0 ? withoutSession(one) : one));
          return client.transact({ ...rest, change: untied }, options);
        },
      };
    },
  },
};

function withoutSession(change: Change): Change {
  return "put" in change ? { put: change.put, value: change.value } : change;
}

/** Valid for longer than the session says. */
function lasting(session: Session, extraMs: () => number): PropertyDescriptorMap {
  const isOver = (): boolean => performance.now() > session.validUntil + extraMs();
  return {
    validUntil: { get: () => session.validUntil + extraMs() },
    state: { get: () => (isOver() ? "lost" : "active") },
    assertValid: {
      value() {
        if (isOver()) session.assertValid();
      },
    },
  };
}

function believingTimers(session: Session): PropertyDescriptorMap {
  let isDue = false;
  let isOver = false;
  const look = (): void => {
    // Late by a turn at least, as timers are that wait for others.
    isOver = isDue;
    isDue = performance.now() >= session.validUntil;
    if (!isOver) setTimeout(look, 100).unref();
  };
  setTimeout(look, 100).unref();
  return {
    assertValid: {
      value() {
        if (isOver) session.assertValid();
      },
    },
  };
}

function countingFromTheAnswer(client: Coordinator): Coordinator {
  let tripMs = 0;
  const measure = async (): Promise<void> => {
    const sentAt = performance.now();
    await client.get("/anything", { timeoutMs: 5_000 }).then(
      () => {
        tripMs = performance.now() - sentAt;
        setTimeout(measure, 100).unref();
      },
      () => {},
    );
  };
  void measure();
  return withSessions(client, (session) => lasting(session, () => tripMs));
}
