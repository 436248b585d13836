import { describe, expect, test, vi } from "vitest";
import { createBlockIds } from "./block-ids.ts";
import { decodeIdBlock, encodeIdBlock } from "./id-block.ts";
import { snowflake } from "./snowflake.ts";

const start = Date.UTC(2026, 0, 1);
const invalid = expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_BLOCK_INVALID" });

function service() {
  const generator = snowflake({ worker: 1 });
  let nowMs = 0;
  const fetch = vi.fn(async (size: number) => {
    const runs = generator.take(size, start + nowMs);
    return decodeIdBlock(JSON.parse(JSON.stringify(encodeIdBlock(runs))));
  });
  const clock = { now: () => nowMs };
  const later = (ms: number): void => {
    nowMs += ms;
  };
  return { fetch, clock, later };
}

test("ids come one by one, in order, from few calls", async () => {
  const { fetch, clock } = service();
  await using ids = createBlockIds({ fetch, clock, size: 1_000 });
  expect(ids.take()).toBeUndefined();
  let last = -1n;
  for (let call = 0; call < 10_000; call++) {
    const id = await ids.next();
    if (id <= last) throw new Error(`${id} came after ${last}`);
    last = id;
  }
  expect(fetch.mock.calls.length).toBeLessThanOrEqual(11);
});

test("the next block is fetched, once, while half of one is left", async () => {
  const { fetch, clock } = service();
  await using ids = createBlockIds({ fetch, clock, size: 10 });
  await ids.next();
  for (let call = 0; call < 4; call++) ids.take();
  expect(fetch).toHaveBeenCalledTimes(2);
  for (let call = 0; call < 5; call++) expect(ids.take()).toBeTypeOf("bigint");
  expect(fetch).toHaveBeenCalledTimes(2);
  await vi.waitFor(() => expect(ids.take()).toBeTypeOf("bigint"), { timeout: 45_000 });
});

test("old ids are thrown away, so that an id is near to its time", async () => {
  const { fetch, clock, later } = service();
  await using ids = createBlockIds({ fetch, clock, size: 10, blockAgeMsMax: 1_000 });
  await ids.next();
  later(1_000);
  expect(ids.take()).toBeUndefined();
  expect(Number((await ids.next()) >> 22n) + 1_288_834_974_657).toBe(start + 1_000);
});

test("a failure reaches who waits, the next call tries again, and closing ends it", async () => {
  const { fetch, clock } = service();
  fetch.mockRejectedValueOnce(new Error("down"));
  const ids = createBlockIds({ fetch, clock });
  await expect(ids.next()).rejects.toThrow("down");
  expect(await ids.next()).toBeTypeOf("bigint");
  await ids.close();
  await ids.close();
  expect(ids.take()).toBeUndefined();
  await expect(ids.next()).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
});

test("a source that has nothing is not asked for ever", async () => {
  await using ids = createBlockIds({ fetch: async () => [] });
  await expect(ids.next()).rejects.toEqual(invalid);
});

describe("a block from elsewhere", () => {
  test.each([
    undefined,
    null,
    {},
    { runs: [] },
    { runs: {} },
    { runs: [null] },
    { runs: [{ first: "1", count: 0 }] },
    { runs: [{ first: "1", count: 1.5 }] },
    { runs: [{ first: "1", count: "3" }] },
    { runs: [{ first: "1", count: 65_537 }] },
    { runs: Array.from({ length: 17 }, () => ({ first: "1", count: 4_096 })) },
    { runs: [{ first: "9223372036854775807", count: 2 }] },
  ])("refuses %j", (block) => {
    expect(() => decodeIdBlock(block)).toThrow(invalid);
  });

  test("refuses a first id that is none", () => {
    expect(() => decodeIdBlock({ runs: [{ first: 1, count: 1 }] })).toThrow(
      expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_ID_INVALID" }),
    );
  });
});
