import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, describe, expect, it } from "vitest";

import { builtInDispatcher } from "./dispatcher.ts";
import { createServiceClient } from "./service-client.ts";
import { serviceInterceptor } from "./service-interceptor.ts";
import { staticResolver } from "./static-resolver.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const names = ["tenfold-deadline-ms", "tenfold-attempt", "tenfold-retry"] as const;

/** Instances of a service that keep what they were sent of the chain. */
async function service(listener: RequestListener, instances = 3) {
  const seen: Partial<Record<string, readonly string[]>>[] = [];
  const posts: { readonly address: string; readonly port: number }[] = [];
  for (let i = 0; i < instances; i++) {
    const server = createServer((request, response) => {
      const { headersDistinct } = request;
      seen.push(Object.fromEntries(names.map((name) => [name, headersDistinct[name]])));
      listener(request, response);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    cleanups.push(() => {
      server.closeAllConnections();
      server.close();
    });
    posts.push({ address: "127.0.0.1", port: (server.address() as AddressInfo).port });
  }
  const options = { resolver: staticResolver({ posts }), policy: { deadlineMs: 45_000 } };
  return { seen, options };
}

const well: RequestListener = (_request, response) => void response.end("well");
const refusing: RequestListener = (_request, response) => void response.writeHead(503).end();

describe("a client", () => {
  it.each(["Tenfold-Deadline-Ms", "tenfold-attempt", "tenfold-retry"])(
    "refuses the header %s, and says what to give instead",
    async (name) => {
      const { options } = await service(well, 1);
      const client = createServiceClient("posts", options);
      cleanups.push(() => client.close());
      const refused = {
        code: "TENFOLD_OPTION_INVALID",
        message: expect.stringContaining("`incoming`"),
      };
      const headers = { [name]: "1" };
      const asked = client.request({ method: "GET", path: "/", headers });
      await expect(asked).rejects.toMatchObject(refused);
      await expect(client.fetch("/", { headers })).rejects.toMatchObject(refused);
    },
  );
});

describe("an interceptor", () => {
  async function intercepted(listener: RequestListener) {
    const { seen, options } = await service(listener);
    const interceptor = serviceInterceptor({ service: "posts", ...options });
    cleanups.push(() => interceptor.close());
    const dispatcher = builtInDispatcher().compose(interceptor);
    const get = async (headers: RequestInit["headers"]): Promise<Response> =>
      await fetch("http://posts/", { headers, dispatcher } as RequestInit);
    return { seen, get };
  }

  it("reads the chain from the request's headers, and sends its own once", async () => {
    const { seen, get } = await intercepted(well);
    const headers = { "Tenfold-Deadline-Ms": "9000", "tenfold-attempt": "2" };
    expect((await get(headers)).status).toBe(200);
    expect(seen).toEqual([
      {
        "tenfold-deadline-ms": [expect.stringMatching(/^[78]\d\d\d$|^9000$/)],
        "tenfold-attempt": ["2"],
        "tenfold-retry": ["stop"],
      },
    ]);
  });

  it("makes no second attempt for a request that says stop, and does for another", async () => {
    const { seen, get } = await intercepted(refusing);
    expect((await get({ "tenfold-retry": "stop" })).status).toBe(503);
    expect(seen.length).toBe(1);
    expect((await get({})).status).toBe(503);
    expect(seen.length).toBe(4);
  });

  it.each<[string, [string, string][], string]>([
    [
      "two deadlines",
      [
        ["tenfold-deadline-ms", "900"],
        ["tenfold-deadline-ms", "1999"],
      ],
      "TENFOLD_RESILIENCE_DEADLINE_INVALID",
    ],
    ["a word", [["tenfold-retry", "go"]], "TENFOLD_RESILIENCE_CHAIN_INVALID"],
    ["no time left", [["tenfold-deadline-ms", "0"]], "TENFOLD_DEADLINE_EXCEEDED"],
  ])("fails with the code and sends nothing for %s", async (_what, headers, code) => {
    const { seen, get } = await intercepted(well);
    await expect(get(headers)).rejects.toMatchObject({ cause: { code } });
    expect(seen).toEqual([]);
  });
});
