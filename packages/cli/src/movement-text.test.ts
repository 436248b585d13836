import { stripVTControlCharacters } from "node:util";
import { hashPolicy, keyMovement, sampleKeys } from "tenfold/hashing";
import { expect, test } from "vitest";

import { movementText } from "./movement-text.ts";

test("a change as text: shares and bars of one scale, nodes that come and go", () => {
  const node = (identity: string, before: number, after: number) => ({
    identity,
    before,
    after,
    weightBefore: before === 0 ? 0 : 1,
    weightAfter: after === 0 ? 0 : 1,
  });
  const text = movementText("ring of 2 nodes", "ring of 2 nodes", {
    keys: 1_000,
    moved: 500,
    needless: 1,
    nodes: [node("a", 500, 489), node("b", 500, 0), node(`c${"x".repeat(40)}`, 0, 511)],
  });
  expect(stripVTControlCharacters(text)).toMatchInlineSnapshot(`
    "ring of 2 nodes → ring of 2 nodes, 1,000 keys

    moved      50.0 %  of all keys are on another node
    needless    0.1 %  of all keys moved between nodes that did not change

    node                              before                         after
    a                                  50.0 % █████████████████████▌   48.9 % █████████████████████
    b                                  50.0 % █████████████████████▌       -
    cxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxx       -                          51.1 % ██████████████████████"
  `);
});

test("a share above nothing never reads as nothing, and rows fit a terminal", () => {
  const nodes = Array.from({ length: 3 }, (_, i) => ({ nickname: `${"n".repeat(100)}${i}` }));
  const before = hashPolicy({ policy: "maglev", nodes });
  const movement = keyMovement(before, before, sampleKeys(3_000));
  const text = movementText("x", "y", { ...movement, keys: 10_000_000, needless: 1 });
  expect(stripVTControlCharacters(text)).toContain("needless   <0.1 %");
  const rows = stripVTControlCharacters(text).split("\n").slice(6);
  expect(rows.map((row) => row.slice(30, 32))).toEqual(["n0", "n1", "n2"]);
  for (const row of rows) expect(row.length).toBeLessThanOrEqual(100);
});
