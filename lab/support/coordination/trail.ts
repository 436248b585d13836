import type { Coordinator, Revision } from "tenfold/coordination";

import { bareKey, guardedKey, type ResourcePlace, tokensAt } from "./guarded-resource.ts";

/** What a resource took, in its own order, and what the coordinator says of the holders. */
export interface Trail {
  /** When the server made a holder's entry in the line. */
  placeOf(token: string): Revision | undefined;
  /** Reads what the resource took. */
  finish(): Promise<{ readonly guarded: Verdict; readonly bare: Verdict }>;
}

export interface Verdict {
  readonly taken: number;
  /** Effects of late holders among them. */
  readonly stale: number;
}

const patienceMs = 60_000;

interface Taken {
  readonly token: string;
  readonly at: Revision;
}

/**
 * What is late is told by the server, not by the tokens that the guards compare: an effect is, when
 * its holder's entry was made before that of one whose effect came before it.
 */
export function followTrail(watcher: Coordinator, place: ResourcePlace): Trail {
  const { prefix, guard } = place;
  const places = new Map<string, Revision>();
  const taken: Record<string, Taken[]> = { lock: [], [guardedKey]: [], [bareKey]: [], last: [] };
  const stop = new AbortController();
  const running = (async () => {
    for await (const { changes } of watcher.watch(prefix, { signal: stop.signal })) {
      for (const change of changes) {
        if (change.kind === "delete") continue;
        const { key, value, token, createRevision, revision: at } = change.entry;
        const [kind = ""] = key.slice(prefix.length).split("/", 1);
        if (kind === "lock") places.set(token, createRevision);
        else taken[kind]?.push({ token: value, at });
      }
    }
  })();
  const tokens = async (key: string): Promise<readonly string[]> => {
    if (guard !== "coordinator key") return await tokensAt(place, key);
    const inOrder = taken[key]?.toSorted((a, b) => (a.at < b.at ? -1 : 1));
    return (inOrder ?? []).map(({ token }) => token);
  };
  return {
    placeOf: (token) => places.get(token),
    async finish() {
      await caughtUp(watcher, prefix, () => taken.last?.length === 1);
      stop.abort();
      await running;
      const [guarded, bare] = [await tokens(guardedKey), await tokens(bareKey)];
      return { guarded: judge(guarded, places), bare: judge(bare, places) };
    },
  };
}

/** Everything that was written before this has been heard. */
async function caughtUp(
  watcher: Coordinator,
  prefix: string,
  isHeard: () => boolean,
): Promise<void> {
  await watcher.transact({ change: [{ put: `${prefix}last`, value: "" }] });
  const deadline = performance.now() + patienceMs;
  while (!isHeard()) {
    if (performance.now() > deadline) throw new Error(`the watch of ${prefix} does not catch up`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** @throws when an effect is of nobody who ever stood in line */
function judge(tokens: readonly string[], places: ReadonlyMap<string, Revision>): Verdict {
  let [latest, stale] = [0n, 0];
  for (const token of tokens) {
    const place = places.get(token);
    if (place === undefined) throw new Error(`nobody stood in line with token ${token}`);
    if (place < latest) stale++;
    else latest = place;
  }
  return { taken: tokens.length, stale };
}
