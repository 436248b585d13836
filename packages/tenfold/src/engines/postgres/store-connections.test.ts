import { expect, test } from "vitest";

import { postgresShardPlan } from "./shard-plan.ts";
import { postgresUrl, storeConnections, urlConnections } from "./store-connections.ts";

test("servers of our own: the first of a shard is its primary", () => {
  const plan = postgresShardPlan({
    store: "posts",
    shards: 1,
    standbys: 1,
    place: () => ({ address: "127.0.0.1", portsFrom: 18_500 }),
    folder: "/data",
  });
  expect(storeConnections(plan, { superuser: "s", replicator: "r", app: "a/b" })).toEqual([
    {
      name: "posts-0",
      primary: "postgres://app:a%2Fb@127.0.0.1:18500/app",
      standbys: ["postgres://app:a%2Fb@127.0.0.1:18501/app"],
    },
  ]);
});

test("servers by URL, one a shard", () => {
  const urls = ["postgres://u:p@db-0/posts", "postgresql://db-1:5433/posts"];
  expect(urlConnections("posts", urls).map(({ name, primary }) => [name, primary])).toEqual([
    ["posts-0", urls[0]],
    ["posts-1", urls[1]],
  ]);
});

test("what is no URL is refused without repeating it", () => {
  for (const url of ["mysql://u:secret@db/posts", "secret"]) {
    expect(() => urlConnections("posts", [url])).toThrow(/^(?!.*secret).*urls\[0\]/);
  }
});

test("IPv6 addresses stand in brackets", () => {
  const url = postgresUrl({ address: "::1", port: 5432 }, "app", "x", "app");
  expect(new URL(url).hostname).toBe("[::1]");
});
