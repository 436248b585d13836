import fc from "fast-check";
import { expect, test } from "vitest";

import { defineSettings, valueProblem } from "./setting-definition.ts";
import { formatChange, type SettingChange } from "./setting-json.ts";
import { settingsState } from "./settings-state.ts";

const definitions = defineSettings({
  "a.on": { kind: "boolean", default: true, description: "on" },
  "a.max": { kind: "number", default: 10, min: 1, max: 100, description: "most" },
});

const entry = (value: SettingChange["value"], change = 1): string =>
  formatChange({
    change,
    id: "x",
    by: "ada",
    atMs: 1,
    why: "",
    ...(value !== undefined && { value }),
  });

test("defaults until something is set, and again when it is reset or gone", () => {
  const state = settingsState(definitions);
  expect(state.current).toEqual({ "a.on": true, "a.max": 10 });
  state.take(new Map([["a.max", entry(20)]]));
  expect(state.current).toEqual({ "a.on": true, "a.max": 20 });
  expect(state.explain("a.max")).toMatchObject({ value: 20, change: { by: "ada" } });
  state.take(new Map([["a.max", entry(undefined, 2)]]));
  expect(state.current["a.max"]).toBe(10);
  expect(state.explain("a.max").change).toMatchObject({ change: 2 });
  state.take(new Map());
  expect(state.explain("a.max")).toEqual({ value: 10, change: undefined, problem: undefined });
});

test.each([
  ["out of range", entry(0)],
  ["of another kind", entry("20")],
  ["no JSON", "{"],
  ["newer", '{"format":2}'],
])("an entry that is %s is told once, and the last good value stays", (_, wrong) => {
  const state = settingsState(definitions);
  state.take(new Map([["a.max", entry(20)]]));
  expect([...state.take(new Map([["a.max", wrong]])).keys()]).toEqual(["a.max"]);
  expect(state.current["a.max"]).toBe(20);
  expect(state.explain("a.max").problem).toBeDefined();
  expect(
    state.take(
      new Map([
        ["a.max", wrong],
        ["b.unknown", "{"],
      ]),
    ).size,
  ).toBe(0);
  state.take(new Map([["a.max", entry(30)]]));
  expect(state.explain("a.max")).toMatchObject({ value: 30, problem: undefined });
});

test("whatever is set, the values are always ones that the definitions allow", () => {
  const any = fc.oneof(
    fc.json(),
    fc.string(),
    fc.oneof(fc.boolean(), fc.integer(), fc.double(), fc.string()).map((value) => entry(value)),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom("a.on", "a.max", "__proto__"), any)),
      (entries) => {
        const state = settingsState(definitions);
        for (const [name, text] of entries) {
          state.take(new Map([[name, text]]));
          for (const [one, value] of Object.entries(state.current)) {
            expect(valueProblem(definitions[one as "a.on"], value)).toBeUndefined();
          }
        }
      },
    ),
  );
});
