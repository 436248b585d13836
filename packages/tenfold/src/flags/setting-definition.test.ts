import fc from "fast-check";
import { expect, expectTypeOf, test } from "vitest";

import {
  defineSettings,
  type SettingDefinition,
  type SettingValues,
} from "./setting-definition.ts";
import { formatDefinition, parseDefinition } from "./setting-json.ts";

const description = "what it does";
const definitions = defineSettings({
  "posts.previews": { kind: "boolean", default: true, description },
  "posts.pageMax": { kind: "number", default: 100, min: 1, max: 100, description },
  "posts.sample": { kind: "number", default: 0.5, min: 0, max: 1, whole: false, description },
  "posts.order": { kind: "choice", default: "new", choices: ["new", "old"], description },
  "posts.motto": { kind: "text", default: "", charactersMax: 20, description },
});

test("the types of the values follow", () => {
  expectTypeOf<SettingValues<typeof definitions>>().toEqualTypeOf<{
    readonly "posts.previews": boolean;
    readonly "posts.pageMax": number;
    readonly "posts.sample": number;
    readonly "posts.order": "new" | "old";
    readonly "posts.motto": string;
  }>();
});

test("definitions go through the coordinator unchanged", () => {
  for (const [name, definition] of Object.entries(definitions)) {
    expect(parseDefinition(formatDefinition(definition), name)).toEqual(definition);
  }
});

const number = { kind: "number", default: 1, min: 0, max: 2, description } as const;
test.each<[string, SettingDefinition]>([
  ["Posts.x", number],
  ["posts..x", number],
  ["posts/x", number],
  ["__proto__", number],
  [`a${"b".repeat(100)}`, number],
  ["a.b", { ...number, default: 3 }],
  ["a.b", { ...number, default: 0.5 }],
  ["a.b", { ...number, description: "" }],
  ["a.b", { ...number, min: Number.NaN }],
  ["a.b", { kind: "choice", default: "x", choices: [], description }],
  ["a.b", { kind: "choice", default: "x", choices: ["x", "x"], description }],
  ["a.b", { kind: "text", default: "", charactersMax: 1_001, description }],
  ["a.b", { kind: "text", default: "\ud800", charactersMax: 10, description }],
  ["a.b", { kind: "boolean", default: 1 as never, description }],
])("a definition that says nothing sensible is refused: %s %#", (name, definition) => {
  expect(() => defineSettings(Object.fromEntries([[name, definition]]))).toThrow(
    expect.objectContaining({ code: "TENFOLD_FLAGS_DEFINITION_INVALID" }),
  );
});

test("too many are refused", () => {
  const all = Array.from({ length: 101 }, (_, index) => [`a.b${index}`, number] as const);
  expect(() => defineSettings(Object.fromEntries(all))).toThrow(/there may be 100/);
});

test("whatever stands in the coordinator, reading it ends in a definition or a coded error", () => {
  const json = fc.oneof(
    fc.json(),
    fc.string(),
    fc.json().map((text) => `{"format":1,"kind":${text}}`),
  );
  const numberOf = (part: string): string =>
    `{"format":1,"kind":"number","description":"d",${part}`;
  const odd = [
    '{"format":{"toString":[]}}',
    '{"format":1,"kind":{"toString":[]}}',
    '{"format":1,"kind":["boolean"],"description":"d","default":true}',
    numberOf('"min":{"toString":[]},"max":1,"default":5}'),
    numberOf('"min":0,"max":[],"default":5}'),
  ];
  for (const text of odd) {
    const code = expect.stringMatching(/^TENFOLD_FLAGS_/);
    expect(() => parseDefinition(text, "a.b")).toThrow(expect.objectContaining({ code }));
  }
  fc.assert(
    fc.property(json, (text) => {
      try {
        parseDefinition(text, "a.b");
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^TENFOLD_FLAGS_/) });
      }
    }),
  );
});
