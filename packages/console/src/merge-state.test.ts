import { describe, expect, test } from "vitest";
import type { ConsoleState } from "../../cli/src/console/console-state.ts";
import { mergeState, replaceState } from "./merge-state.ts";

const state = (times: readonly number[], events: readonly number[]): ConsoleState =>
  ({
    history: times.map((timeMs) => ({ timeMs })),
    events: events.map((number) => ({ number })),
  }) as unknown as ConsoleState;
const shape = ({ history, events }: ConsoleState) => [
  history.map(({ timeMs }) => timeMs),
  events.map(({ number }) => number),
];

describe("mergeState", () => {
  test("adds what is new, once", () => {
    const merged = mergeState(state([1, 2], [1]), state([2, 3], [1, 2]));
    expect(shape(merged)).toEqual([
      [1, 2, 3],
      [1, 2],
    ]);
  });

  test("a console that began anew replaces the events, and older history stays", () => {
    const merged = replaceState(state([1, 2], [7, 8]), state([3], [1]));
    expect(shape(merged)).toEqual([[1, 2, 3], [1]]);
  });
});
