import { Server } from "node:net";

import { afterEach, expect, it, vi } from "vitest";

import { stand } from "../testing/gateway-stand.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

it("goes on when its server fails while it listens, such as for want of descriptors", async () => {
  const listen = vi.spyOn(Server.prototype, "listen");
  const one = await stand(1);
  try {
    const servers = listen.mock.contexts as Server[];
    const server = servers.find((each) => {
      const address = each.address();
      return typeof address === "object" && address?.port === one.gateway.address.port;
    });
    // Were nobody to listen for it, at any time, the process would end.
    for (let i = 0; i < 3; i++) server?.emit("error", new Error("accept EMFILE"));
    expect(server?.listening).toBe(true);
    expect((await fetch(one.url("/posts"))).status).toBe(200);
  } finally {
    await one.close();
  }
});
