import { expect, test } from "vitest";

import { checkKey, checkPrefix, checkTransaction } from "./coordinator-input.ts";

const limits = { keyBytesMax: 20, valueBytesMax: 10, operationsMax: 2 };
const keyInvalid = expect.objectContaining({ code: "TENFOLD_COORDINATION_KEY_INVALID" });
const valueInvalid = expect.objectContaining({ code: "TENFOLD_COORDINATION_VALUE_INVALID" });
const refused = expect.objectContaining({ code: "TENFOLD_COORDINATION_REFUSED" });

test.each(["", "a\0b", "\ud800", "x".repeat(21), "é".repeat(11)])("the key %j is none", (key) => {
  expect(() => checkKey(key, limits)).toThrow(keyInvalid);
});

test("a key may be any other text, and a prefix may be empty", () => {
  for (const key of ["/", " ", "日本", "\u{1f600}", "\ufeff", "é".repeat(10)])
    checkKey(key, limits);
  checkPrefix("", limits);
});

test("values are text up to the limit, counted in bytes", () => {
  const put = (value: string) => checkTransaction({ change: [{ put: "a", value }] }, limits);
  put("");
  put("é".repeat(5));
  for (const value of ["é".repeat(6), "x".repeat(11), "\udc00"]) {
    expect(() => put(value)).toThrow(valueInvalid);
  }
});

test("a transaction has few operations, each on a key of its own", () => {
  const change = ["a", "b", "c"].map((key) => ({ delete: key }));
  expect(() => checkTransaction({ change }, limits)).toThrow(refused);
  expect(() => checkTransaction({ change: [], otherwiseRead: ["a", "b", "c"] }, limits)).toThrow(
    refused,
  );
  const twice = [{ put: "a", value: "1" }, { delete: "a" }];
  expect(() => checkTransaction({ change: twice }, limits)).toThrow(refused);
  const when = [{ key: "", is: "absent" as const }];
  expect(() => checkTransaction({ when, change: [] }, limits)).toThrow(keyInvalid);
});
