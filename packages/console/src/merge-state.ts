import type { ConsoleState } from "../../cli/src/console/console-state.ts";

export const keptMax: { readonly points: number; readonly events: number } = Object.freeze({
  points: 600,
  events: 500,
});

/** The whole state, as a stream begins: only the older history is worth keeping. */
export function replaceState(known: ConsoleState | undefined, whole: ConsoleState): ConsoleState {
  const firstMs = whole.history[0]?.timeMs ?? Number.POSITIVE_INFINITY;
  const older = known?.history.filter(({ timeMs }) => timeMs < firstMs) ?? [];
  return { ...whole, history: [...older, ...whole.history].slice(-keptMax.points) };
}

/** An update carries only new history and events: the rest is what the page already has. */
export function mergeState(known: ConsoleState | undefined, update: ConsoleState): ConsoleState {
  const lastPointMs = known?.history.at(-1)?.timeMs ?? 0;
  const lastEvent = known?.events.at(-1)?.number ?? 0;
  const points = update.history.filter(({ timeMs }) => timeMs > lastPointMs);
  const events = update.events.filter(({ number }) => number > lastEvent);
  return {
    ...update,
    history: [...(known?.history ?? []), ...points].slice(-keptMax.points),
    events: [...(known?.events ?? []), ...events].slice(-keptMax.events),
  };
}
