import { expect, test } from "vitest";

import { userLedger } from "./user-ledger.ts";

const page = (ids: number[], limit: number, hasNext: boolean) => ({
  ids: ids.map(BigInt),
  limit,
  hasNext,
});

function ledgerOf(...ids: number[]) {
  const ledger = userLedger();
  for (const id of ids) ledger.acknowledged(BigInt(id));
  return ledger;
}

test("a right answer has no findings", () => {
  const ledger = ledgerOf(1, 2, 3);
  const judged = ledger.judge(ledger.before(), [page([4, 3], 2, true), page([2, 1], 2, false)]);
  expect(judged).toEqual({ missed: [], disordered: [], repeated: [], misshapen: [] });
});

test("a post between those shown, or on a complete last page, is missed", () => {
  const ledger = ledgerOf(1, 2, 3);
  expect(ledger.judge(ledger.before(), [page([3, 1], 2, true)]).missed).toEqual(["2"]);
  expect(ledger.judge(ledger.before(), [page([3, 2], 5, false)]).missed).toEqual(["1"]);
  expect(ledger.judge(ledger.before(), [page([], 5, false)]).missed).toEqual(["1", "2", "3"]);
});

test("older posts than those shown are not missed while more pages follow", () => {
  const ledger = ledgerOf(1, 2, 3);
  expect(ledger.judge(ledger.before(), [page([3], 1, true)]).missed).toEqual([]);
});

test("posts acknowledged after the read began are not asked for", () => {
  const ledger = ledgerOf(1);
  const before = ledger.before();
  ledger.acknowledged(2n);
  expect(ledger.judge(before, [page([1], 5, false)]).missed).toEqual([]);
});

test("order, repetition and page shape are seen", () => {
  const ledger = ledgerOf();
  expect(ledger.judge([], [page([1, 2], 5, false)]).disordered).toHaveLength(1);
  expect(ledger.judge([], [page([2], 1, true), page([2], 1, false)]).repeated).toEqual(["2"]);
  expect(ledger.judge([], [page([2], 5, true)]).misshapen).toHaveLength(1);
  expect(ledger.judge([], [page([2, 1], 1, false)]).misshapen).toHaveLength(1);
  expect(ledgerOf(5).acknowledged(4n).disordered).toHaveLength(1);
});
