import { type KeyRange, rangeName } from "./key-range.ts";

/** Which of many ranges a key lies in, without asking each: `Of` is what is kept for a range. */
export interface WatchIndex<Of> {
  add(range: KeyRange, of: Of): void;
  delete(range: KeyRange, of: Of): void;
  /** Calls `visit` once for everything whose range holds the key. */
  visit(key: string, visit: (of: Of) => void): void;
}

/**
 * One key and prefixes, which is what nearly all watches are, are found by look-ups (one for each
 * character of the key); other ranges are tried one after the other.
 */
export function watchIndex<Of>(): WatchIndex<Of> {
  const keys = new Map<string, Set<Of>>();
  const prefixes = new Map<string, Set<Of>>();
  const others = new Map<string, { readonly range: Ranged; readonly all: Set<Of> }>();
  const setOf = (range: KeyRange): { from: Map<string, unknown>; name: string; all: Set<Of> } => {
    if ("only" in range) return { from: keys, name: range.only, all: at(keys, range.only) };
    const prefix = prefixOf(range);
    if (prefix !== undefined) return { from: prefixes, name: prefix, all: at(prefixes, prefix) };
    const name = rangeName(range);
    const other = others.get(name) ?? { range, all: new Set() };
    others.set(name, other);
    return { from: others, name, all: other.all };
  };
  return {
    add: (range, of) => void setOf(range).all.add(of),
    delete(range, of) {
      const { from, name, all } = setOf(range);
      all.delete(of);
      if (all.size === 0) from.delete(name);
    },
    visit(key, visit) {
      const visitAll = (all: Set<Of> | undefined): void => {
        if (all !== undefined) for (const of of all) visit(of);
      };
      visitAll(keys.get(key));
      for (let length = 0; prefixes.size > 0 && length <= key.length; length++) {
        visitAll(prefixes.get(key.slice(0, length)));
      }
      for (const { range, all } of others.values()) {
        if (key >= range.start && (range.end === undefined || key < range.end)) visitAll(all);
      }
    },
  };
}

type Ranged = Exclude<KeyRange, { only: string }>;

function at<Of>(sets: Map<string, Set<Of>>, name: string): Set<Of> {
  const all = sets.get(name) ?? new Set<Of>();
  sets.set(name, all);
  return all;
}

/** The prefix that all keys of the range, and no others, have. */
function prefixOf({ start, end }: Ranged): string | undefined {
  if (end === undefined || start === "") return undefined;
  const last = start.length - 1;
  const next = String.fromCharCode(start.charCodeAt(last) + 1);
  return end === start.slice(0, last) + next ? start : undefined;
}
