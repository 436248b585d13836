import { expect, test } from "vitest";

import { postgresShardPlan } from "./shard-plan.ts";

const options = {
  store: "posts",
  shards: 2,
  standbys: 2,
  place: () => ({ address: "127.0.0.1", portsFrom: 18_500 }),
  folder: "/data/store-posts",
};

test("two shards with two standbys each", () => {
  const plan = postgresShardPlan(options);
  const table = plan.flatMap(({ name: shard, servers }) =>
    servers.map(({ name, port, seededFrom, follows }) => [shard, name, port, seededFrom, follows]),
  );
  expect(table).toEqual([
    ["posts-0", "pg-posts-0-1", 18_500, undefined, undefined],
    ["posts-0", "pg-posts-0-2", 18_501, "pg-posts-0-1", "pg-posts-0-1"],
    ["posts-0", "pg-posts-0-3", 18_502, "pg-posts-0-2", "pg-posts-0-1"],
    ["posts-1", "pg-posts-1-1", 18_510, undefined, undefined],
    ["posts-1", "pg-posts-1-2", 18_511, "pg-posts-1-1", "pg-posts-1-1"],
    ["posts-1", "pg-posts-1-3", 18_512, "pg-posts-1-2", "pg-posts-1-1"],
  ]);
  expect(plan[1]?.servers[2]).toMatchObject({
    address: "127.0.0.1",
    folder: "/data/store-posts/pg-posts-1-3",
  });
});

test.each([
  { shards: -1 },
  { shards: 41 },
  { standbys: -1 },
  { standbys: 6 },
  { place: () => ({ address: "127.0.0.1", portsFrom: 80 }) },
])("%j is refused", (wrong) => {
  expect(() => postgresShardPlan({ ...options, ...wrong })).toThrow(
    expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" }),
  );
});

test("the members of a shard may be on several hosts, each with ports of its own", () => {
  const place = (_: number, member: number) => ({
    address: `10.0.0.${member}`,
    portsFrom: 18_500 + 1_000 * member,
  });
  const [, second] = postgresShardPlan({ ...options, place });
  expect(second?.servers.map(({ address, port }) => `${address}:${port}`)).toEqual([
    "10.0.0.1:19510",
    "10.0.0.2:20511",
    "10.0.0.3:21512",
  ]);
});
