import fc from "fast-check";
import { expect, it } from "vitest";

import { invalidOption, shown } from "./options.ts";

it.each<[unknown, string]>([
  ["a\n", '"a\\n"'],
  [5n, "5"],
  [undefined, "undefined"],
  [[1, 2], "a list"],
  [{ toString: [] }, "an object"],
  [Symbol("s"), "Symbol(s)"],
  ["x".repeat(500), `"${"x".repeat(100)}"`],
])("shows %s", (value, text) => {
  expect(shown(value)).toBe(text);
});

it("says what came, whatever it is", () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, withSparseArray: true }), (value) => {
      expect(invalidOption("name", "a number", value).message).toMatch(/^name must be a number, /);
    }),
  );
});
