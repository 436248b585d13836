/** Items in the order that `compare` gives; it must tell any two different items apart. */
export interface SortedList<T> {
  readonly size: number;
  add(item: T): void;
  /** Takes out the item that compares as equal, if there is one. */
  remove(item: T): void;
  first(): T | undefined;
  /**
   * Up to `limit` items that are `from` or come after it, in order; without `from` from the start.
   */
  after(from: T | undefined, limit: number): T[];
  /** Up to `limit` items that come before `to`, nearest first; without `to` from the end. */
  before(to: T | undefined, limit: number): T[];
}

/** Beyond this a chunk is cut in two: moving so many items in memory costs less than a tree. */
const chunkMax = 512;

/** A sorted list of chunks: adding and removing cost O(√n) at worst, ends and look-ups O(log n). */
export function sortedList<T>(compare: (a: T, b: T) => number): SortedList<T> {
  const chunks: T[][] = [[]];
  let size = 0;

  /** The first place in a sorted list whose entry is not below. */
  const firstNotBelow = <Entry>(list: readonly Entry[], below: (entry: Entry) => boolean) => {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (below(list[middle] as Entry)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const placeOf = (item: T): { chunk: number; index: number } => {
    const isBelow = (other: T | undefined): boolean =>
      other !== undefined && compare(other, item) < 0;
    const found = firstNotBelow(chunks, (list) => isBelow(list.at(-1)));
    const chunk = Math.min(found, chunks.length - 1);
    return { chunk, index: firstNotBelow(chunks[chunk] as T[], isBelow) };
  };

  return {
    get size() {
      return size;
    },
    add(item) {
      const { chunk, index } = placeOf(item);
      const list = chunks[chunk] as T[];
      list.splice(index, 0, item);
      size += 1;
      if (list.length > chunkMax) chunks.splice(chunk + 1, 0, list.splice(chunkMax / 2));
    },
    remove(item) {
      const { chunk, index } = placeOf(item);
      const list = chunks[chunk] as T[];
      const found = list[index];
      if (found === undefined || compare(found, item) !== 0) return;
      list.splice(index, 1);
      size -= 1;
      if (list.length === 0 && chunks.length > 1) chunks.splice(chunk, 1);
    },
    first: () => chunks[0]?.[0],
    after(from, limit) {
      const place = from === undefined ? { chunk: 0, index: 0 } : placeOf(from);
      const items: T[] = [];
      for (let { chunk, index } = place; chunk < chunks.length; chunk++, index = 0) {
        items.push(...(chunks[chunk] as T[]).slice(index, index + limit - items.length));
        if (items.length === limit) break;
      }
      return items;
    },
    before(to, limit) {
      const last = chunks.length - 1;
      const end = { chunk: last, index: (chunks[last] as T[]).length };
      const place = to === undefined ? end : placeOf(to);
      const items: T[] = [];
      for (let { chunk, index } = place; chunk >= 0; chunk--, index = chunkMax + 1) {
        const list = (chunks[chunk] as T[]).slice(0, index);
        const wanted = limit - items.length;
        items.push(...list.slice(Math.max(0, list.length - wanted)).reverse());
        if (items.length === limit) break;
      }
      return items;
    },
  };
}
