import { defineFleet, durableQueue, etcd, shardedPostgres } from "tenfold/fleet";

import posts from "./fleet.ts";

/** The posts service on three hosts, one of which may die; here they are three addresses of one. */
export default defineFleet({
  ...posts,
  hosts: {
    a: { address: "127.0.0.1", zone: "z1" },
    b: { address: "127.0.0.2", zone: "z2" },
    c: { address: "127.0.0.3", zone: "z3" },
  },
  coordinator: etcd("etcd://127.0.0.1:2379,127.0.0.2:2379,127.0.0.3:2379"),

  // Databases do not fail over: primaries and queue are on a and b, and c is the one that may die.
  stores: { posts: shardedPostgres({ shards: 2, standbys: 1, hosts: ["a", "b"] }) },
  queues: { posts: durableQueue({ hosts: ["a"], singlePointOfFailure: true }) },
});
