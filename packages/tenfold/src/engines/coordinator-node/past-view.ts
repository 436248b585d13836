import type { History } from "./history.ts";
import { inRange, type KeyRange, keyText } from "./key-range.ts";
import type { KeyStore, StoredEntry, StoreEvent, StoreView } from "./key-store.ts";

/**
 * The map as it was at an earlier revision: as it is now, with what came after undone. Costs one
 * step for each change since.
 *
 * @param unfinished changes of a write that has no revision yet
 */
export function viewAt(
  store: KeyStore,
  history: Pick<History, "at">,
  revision: bigint,
  unfinished: readonly StoreEvent[] = [],
): StoreView {
  if (revision === store.revision && unfinished.length === 0) return store;
  /** What the keys that changed since then were, in the range. */
  const changed = (range: KeyRange): Map<string, StoredEntry | undefined> => {
    const was = new Map<string, StoredEntry | undefined>();
    const undo = (events: readonly StoreEvent[]): void => {
      for (const { key, before } of events.toReversed()) {
        if (inRange(range, key)) was.set(key, before);
      }
    };
    undo(unfinished);
    for (let at = store.revision; at > revision; at--) undo(history.at(at).events);
    return was;
  };
  const range = (asked: KeyRange): readonly StoredEntry[] => {
    const was = changed(asked);
    if (was.size === 0) return store.range(asked);
    const others = store.range(asked).filter(({ key }) => !was.has(keyText(key)));
    const restored = [...was.values()].filter((entry) => entry !== undefined);
    return [...others, ...restored].sort((a, b) => Buffer.compare(a.key, b.key));
  };
  return {
    revision,
    get: (key) => range({ only: key })[0],
    range,
    count: (asked) => range(asked).length,
  };
}
