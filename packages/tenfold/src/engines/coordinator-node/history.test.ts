import { expect, test } from "vitest";

import { history, neverCompacted } from "./history.ts";

const limits = { historyRevisionsMax: 2, historyBytesMax: 10 };
const revised = (revision: bigint, size: number) => ({
  revision,
  events: [{ key: "k", now: undefined, before: undefined, wire: new Uint8Array(size) }],
});

test("forgets the oldest over a limit, never the newest, however large it is", () => {
  const past = history({ compacted: neverCompacted, revised: [] }, limits);
  for (const [revision, size] of [
    [2n, 4],
    [3n, 4],
    [4n, 1],
  ] as const) {
    past.add(revised(revision, size));
    past.trim();
  }
  expect([past.compacted, past.kept().length]).toEqual([3n, 2]);
  past.add(revised(5n, 100));
  past.trim();
  // Compacted beyond 5, a change at 6 would be taken for an old one after a restart.
  expect([past.compacted, past.at(5n).revision]).toEqual([5n, 5n]);
});
