/** Items in the order that `compare` gives; it must tell any two different items apart. */
export interface SortedList<T> {
  readonly size: number;
  add(item: T): void;
  remove(item: T): void;
  at(index: number): T | undefined;
  /** How many items come before the place where `item` is or would be. */
  indexOf(item: T): number;
  slice(from: number, to: number): T[];
}

export function sortedList<T>(compare: (a: T, b: T) => number): SortedList<T> {
  const items: T[] = [];
  const indexOf = (item: T): number => {
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(items[middle] as T, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    get size() {
      return items.length;
    },
    add(item) {
      items.splice(indexOf(item), 0, item);
    },
    remove(item) {
      const index = indexOf(item);
      const found = items[index];
      if (found !== undefined && compare(found, item) === 0) items.splice(index, 1);
    },
    at: (index) => items[index],
    indexOf,
    slice: (from, to) => items.slice(from, to),
  };
}
