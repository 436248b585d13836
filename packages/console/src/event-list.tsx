import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { FleetEvent } from "../../cli/src/console/console-state.ts";
import { clockTime } from "./format.ts";

const shownMax = 200;

/** What happened, newest first. */
export function EventList({ events }: { readonly events: readonly FleetEvent[] }): VNode {
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  const shown = events
    .filter(({ instance, kind, message }) =>
      `${instance} ${kind} ${message}`.toLowerCase().includes(wanted),
    )
    .slice(-shownMax)
    .reverse();
  return (
    <section class="events" aria-labelledby="events-title">
      <div class="events-head">
        <h2 id="events-title">Events</h2>
        <input
          type="search"
          placeholder="filter"
          aria-label="Filter the events"
          value={filter}
          onInput={({ currentTarget }) => setFilter(currentTarget.value)}
        />
      </div>
      <ol reversed>
        {shown.map(({ number, timeMs, kind, instance, message, unexpected }) => (
          <li key={number} class={unexpected ? "bad" : kind === "ready" ? "good" : ""}>
            <time dateTime={new Date(timeMs).toISOString()}>{clockTime(timeMs)}</time>
            <strong>{instance}</strong>
            <span>{message}</span>
          </li>
        ))}
      </ol>
      {shown.length === 0 ? (
        <p>{events.length === 0 ? "Nothing yet." : "Nothing matches."}</p>
      ) : null}
    </section>
  );
}
