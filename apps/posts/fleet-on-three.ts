import { defineFleet, durableQueue, etcd, shardedPostgres } from "tenfold/fleet";

import posts from "./fleet.ts";

/**
 * The posts service on three machines. On each: `npx tenfold up fleet-on-three.ts --host a` (b, c),
 * with an etcd of three nodes between them.
 */
export default defineFleet({
  ...posts,
  hosts: {
    a: { address: "127.0.0.1", zone: "z1" },
    b: { address: "127.0.0.2", zone: "z2" },
    c: { address: "127.0.0.3", zone: "z3" },
  },
  coordinator: etcd("etcd://127.0.0.1:2379,127.0.0.2:2379,127.0.0.3:2379"),
  // The data is on a and b, so c may die; a and b keep what only they have.
  stores: { posts: shardedPostgres({ shards: 2, standbys: 1, hosts: ["a", "b"] }) },
  queues: { posts: durableQueue({ hosts: ["a"], singlePointOfFailure: true }) },
});
