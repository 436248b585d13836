import { type Notice, notice } from "../coordination/notice.ts";
import type { Endpoint } from "./endpoint.ts";

/** The newest list of endpoints, for any number of readers. */
export interface EndpointFeed {
  /** Undefined until the first list. */
  readonly current: readonly Endpoint[] | undefined;
  /** Tells a list, unless it is the one that was told before. */
  tell(endpoints: readonly Endpoint[]): void;
  /** The current list as soon as there is one, then every other; a slow reader gets the latest. */
  watch(signal: AbortSignal): AsyncGenerator<readonly Endpoint[]>;
}

export function endpointFeed(): EndpointFeed {
  const readers = new Set<Notice>();
  let current: readonly Endpoint[] | undefined;
  let text = "";
  return {
    get current() {
      return current;
    },
    tell(endpoints) {
      const next = JSON.stringify(endpoints);
      if (current !== undefined && next === text) return;
      current = endpoints;
      text = next;
      for (const reader of readers) reader.notify();
    },
    async *watch(signal) {
      const changed = notice();
      readers.add(changed);
      try {
        let isOn = !signal.aborted;
        if (current === undefined) isOn = await changed.wait(signal);
        while (isOn && current !== undefined) {
          yield current;
          isOn = await changed.wait(signal);
        }
      } finally {
        changed.close();
        readers.delete(changed);
      }
    },
  };
}
