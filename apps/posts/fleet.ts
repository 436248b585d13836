import { defineFleet, durableQueue, embedded, shardedPostgres } from "tenfold/fleet";

/** A large-scale posts service: write with a preview of a URL, list newest first, read one. */
export default defineFleet({
  name: "posts",
  hosts: { local: { address: "127.0.0.1" } },
  coordinator: embedded(),

  gateway: {
    port: 8080,
    routes: [
      { path: "/api/v1/posts", service: "posts" },
      { path: "/api/v1/write_post", service: "posts" },
      { path: "/api/v1/scrap", service: "scrap" },
      { path: "/api/v1/geoip", service: "geoip" },
      { path: "/api/v1/guid", service: "guid" },
      { path: "/demo", service: "posts" },
    ],
  },
  console: { port: 8090 },
  // Services in other languages register here and are called like the rest.
  registry: { port: 8085 },

  services: {
    posts: {
      module: "./src/services/posts.ts",
      instances: 3,
      stores: ["posts"],
      queues: ["posts"],
    },
    worker: {
      module: "./src/services/worker.ts",
      instances: 2,
      stores: ["posts"],
      queues: ["posts"],
    },
    guid: { module: "./src/services/guid.ts", instances: 2 },
    scrap: {
      module: "./src/services/scrap.ts",
      instances: 2,
      // Private addresses are refused, but for the demo's own pages.
      settings: ({ addressOf }) => ({ allowHosts: [addressOf("pages")] }),
    },
    geoip: { module: "./src/services/geoip.ts", settings: { database: "demo" } },
    pages: { module: "./src/services/pages.ts", port: 8081 },
  },

  // Reads come from the primaries, so a post leaves the pending index when its primary has it.
  stores: { posts: shardedPostgres({ shards: 2, standbys: 2, readFrom: "primary" }) },
  queues: { posts: durableQueue() },

  hints: ({ addressOf }) => [
    `curl -X POST ${addressOf("gateway")}/api/v1/posts/42 -H 'content-type: application/json' \\`,
    `     -d '{"contents":"hello","url":"http://${addressOf("pages")}/ko/market"}'`,
    `curl '${addressOf("gateway")}/api/v1/posts/42?limit=10'`,
    `open http://${addressOf("gateway")}/demo?user=42`,
    "npm run traffic               # many users write, read and check",
  ],
});
