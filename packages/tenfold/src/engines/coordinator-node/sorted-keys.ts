/** Keys in order, with ranges by binary search. Insertion moves what follows: O(n), a memmove. */
export interface SortedKeys {
  add(key: string): void;
  delete(key: string): void;
  /** The keys from `start` up to but without `end`; without `end` all that follow. */
  range(start: string, end: string | undefined): readonly string[];
}

export function sortedKeys(initial: Iterable<string> = []): SortedKeys {
  const keys = [...initial].sort(byCodeUnit);
  const firstAtLeast = (key: string): number => {
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    add(key) {
      const at = firstAtLeast(key);
      if (keys[at] !== key) keys.splice(at, 0, key);
    },
    delete(key) {
      const at = firstAtLeast(key);
      if (keys[at] === key) keys.splice(at, 1);
    },
    range(start, end) {
      const from = firstAtLeast(start);
      return keys.slice(from, end === undefined ? undefined : Math.max(from, firstAtLeast(end)));
    },
  };
}

export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
