/** Something that is to happen at a time; what is set for the same time happens in order. */
export interface Scheduled {
  readonly at: number;
  readonly order: number;
}

/** A binary heap by time, then order. O(log n). */
export function pushEvent<T extends Scheduled>(heap: T[], event: T): void {
  let at = heap.length;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as T;
    if (!earlier(event, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

/** Takes the next event out: the one at index 0. */
export function popEvent<T extends Scheduled>(heap: T[]): T | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    const right = heap[child + 1];
    if (right !== undefined && earlier(right, heap[child] as T)) child++;
    const below = heap[child];
    if (below === undefined || !earlier(below, last)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
  return first;
}

function earlier(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
