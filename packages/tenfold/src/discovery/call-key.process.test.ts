import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, expect, it } from "vitest";

import { boundedHash } from "../balancing/bounded-hash.ts";
import { builtInDispatcher } from "./dispatcher.ts";
import { createServiceClient } from "./service-client.ts";
import { serviceInterceptor } from "./service-interceptor.ts";
import { staticResolver } from "./static-resolver.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function end(server: Server): void {
  server.closeAllConnections();
  server.close();
}

/** Three instances that answer with their name; those asked for `/held` when they are let go. */
async function three() {
  const held: (() => void)[] = [];
  const servers: Server[] = [];
  const posts: { readonly id: string; readonly address: string; readonly port: number }[] = [];
  for (const id of ["posts-0", "posts-1", "posts-2"]) {
    const listener: RequestListener = (request, response) => {
      const answer = (): void => void response.end(id);
      if (request.url?.startsWith("/held")) held.push(answer);
      else answer();
    };
    const server = createServer(listener);
    await once(server.listen(0, "127.0.0.1"), "listening");
    cleanups.push(() => end(server));
    servers.push(server);
    posts.push({ id, address: "127.0.0.1", port: (server.address() as AddressInfo).port });
  }
  const options = {
    resolver: staticResolver({ posts }),
    balancing: { picking: boundedHash(), slowStartMs: 0 },
    policy: { deadlineMs: 45_000, tryTimeoutMs: 20_000 },
  };
  const client = createServiceClient("posts", options);
  cleanups.push(() => client.close());
  const ask = async (key: string, path = "/"): Promise<string> =>
    (await client.request({ method: "GET", path, key })).text();
  return { client, ask, options, held, servers };
}

it("goes to the same instance for the same key, and the keys to all", async () => {
  const { client, ask } = await three();
  const homes = new Map<string, string>();
  for (let user = 0; user < 30; user++) homes.set(`user-${user}`, await ask(`user-${user}`));
  expect(new Set(homes.values())).toEqual(new Set(["posts-0", "posts-1", "posts-2"]));
  for (const [key, home] of homes) {
    expect(await ask(key)).toBe(home);
    expect(await (await client.fetch("/", { key })).text()).toBe(home);
  }
  const anywhere = new Set<string>();
  for (let i = 0; i < 60 && anywhere.size < 3; i++) {
    anywhere.add((await client.request({ method: "GET", path: "/" })).text());
  }
  expect(anywhere.size).toBe(3);
});

it("takes the key from the request in an interceptor", async () => {
  const { ask, options } = await three();
  const interceptor = serviceInterceptor({
    service: "posts",
    ...options,
    key: ({ path, headers }) => headers["x-user"] ?? path.split("/")[2],
  });
  cleanups.push(() => interceptor.close());
  const dispatcher = builtInDispatcher().compose(interceptor);
  const get = async (path: string, headers = {}): Promise<string> =>
    await (await fetch(`http://posts${path}`, { headers, dispatcher } as RequestInit)).text();
  for (let user = 0; user < 15; user++) {
    const home = await ask(`user-${user}`);
    expect(await get(`/posts/user-${user}`)).toBe(home);
    expect(await get("/", { "X-User": `user-${user}` })).toBe(home);
  }
});

it("spills what is over the bound of its instance, and is back when that is free", async () => {
  const { ask, held } = await three();
  const home = await ask("busy");
  const waiting = Array.from({ length: 12 }, () => ask("busy", "/held"));
  await expect.poll(() => held.length).toBe(12);
  for (const answer of held) answer();
  const counts = Map.groupBy(await Promise.all(waiting), (name) => name);
  // No instance may have more than 1.25 times its third of what is under way, rounded up.
  expect(counts.get(home)?.length).toBe(5);
  expect(counts.size).toBe(3);
  expect(await ask("busy")).toBe(home);
});

it("moves the keys of an instance that dies, and no others", async () => {
  const { ask, servers } = await three();
  const homes = new Map<string, string>();
  for (let user = 0; user < 30; user++) homes.set(`user-${user}`, await ask(`user-${user}`));
  end(servers[1] as Server);
  const moved = new Set<string>();
  for (const [key, home] of homes) {
    const now = await ask(key);
    if (home === "posts-1") moved.add(now);
    else expect(now).toBe(home);
  }
  expect(moved).toEqual(new Set(["posts-0", "posts-2"]));
});

it.each(["", "k".repeat(1_025), 7 as unknown as string])("refuses the key %j", async (key) => {
  const { client } = await three();
  const refused = { code: "TENFOLD_OPTION_INVALID", details: { option: "key" } };
  const asked = client.request({ method: "GET", path: "/", key });
  await expect(asked).rejects.toMatchObject(refused);
  await expect(client.fetch("/", { key })).rejects.toMatchObject(refused);
});
