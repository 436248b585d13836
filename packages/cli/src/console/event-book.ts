import type { FleetEvent } from "./console-state.ts";

/** An event in the supervisor's words. */
export interface SupervisorEvent {
  readonly sequence: number;
  readonly timeMs: number;
  readonly kind: string;
  readonly instance?: string;
  readonly message: string;
  readonly unexpected?: boolean;
}

export interface EventBook {
  /** Takes over what it has not seen. */
  add(events: readonly SupervisorEvent[]): void;
  /** Oldest first. */
  readonly events: readonly FleetEvent[];
}

export const eventBookDefaults: { readonly eventsMax: number } = Object.freeze({ eventsMax: 500 });

/**
 * The events of all lives of the supervisor. Its sequence begins again when it does, so an event is
 * the same one only if its time is the same too.
 */
export function eventBook(eventsMax: number = eventBookDefaults.eventsMax): EventBook {
  const events: FleetEvent[] = [];
  const seen = new Set<string>();
  let next = 1;
  return {
    events,
    add(news) {
      for (const { sequence, timeMs, kind, instance, message, unexpected } of news) {
        const identity = `${sequence} ${timeMs}`;
        if (seen.has(identity)) continue;
        seen.add(identity);
        events.push({
          number: next++,
          timeMs,
          kind,
          instance: instance ?? "supervisor",
          message,
          unexpected: unexpected ?? false,
        });
      }
      while (events.length > eventsMax) events.shift();
      for (const identity of seen) {
        // The supervisor keeps twice as many: what it may send again must still be known.
        if (seen.size <= eventsMax * 4) break;
        seen.delete(identity);
      }
    },
  };
}
