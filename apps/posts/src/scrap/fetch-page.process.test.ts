import { createServer, type RequestListener } from "node:http";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { systemNetwork, systemRuntime } from "tenfold/runtime";
import { afterEach, expect, test } from "vitest";

import { type FetchPageLimits, fetchPage } from "./fetch-page.ts";
import { pageUrl, type UrlRules } from "./page-url.ts";
import { previewSource } from "./preview-source.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function listening(server: Server, host = "127.0.0.1", port = 0): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

const site = async (listener: RequestListener) => await listening(createServer(listener));
const html = { "content-type": "text/html; charset=utf-8" };
const page = (title: string) => `<html><head><title>${title}</title></head></html>`;

async function fetchFrom(port: number, path = "/", limits: Partial<FetchPageLimits> = {}) {
  const rules = { ports: [], allowHosts: [`127.0.0.1:${port}`] };
  const url = pageUrl(`http://127.0.0.1:${port}${path}`, rules);
  return await fetchPage(url, { rules, runtime: systemRuntime, limits });
}
const unavailable = (message: RegExp) =>
  expect.objectContaining({
    code: "POSTS_PAGE_UNAVAILABLE",
    status: 422,
    message: expect.stringMatching(message),
  });

test("the connection goes to the address that was checked, not to a later one", async () => {
  const good = createServer((_, response) => response.writeHead(200, html).end("good"));
  const port = await listening(good);
  const evil = createServer((_, response) => response.writeHead(200, html).end("evil"));
  await listening(evil, "127.0.0.2", port);
  const answers = ["127.0.0.1", "127.0.0.2"];
  let asked = 0;
  const lookup = () => {
    const address = answers[asked] ?? "127.0.0.2";
    asked += 1;
    return Promise.resolve([{ address, family: 4 as const }]);
  };
  const rules: UrlRules = { ports: [], allowHosts: [`rebind.test:${port}`] };
  const runtime = { ...systemRuntime, network: { ...systemNetwork, lookup } };
  const url = pageUrl(`http://rebind.test:${port}/`, rules);
  const first = await fetchPage(url, { rules, runtime });
  expect(Buffer.from(first.body).toString()).toBe("good");
  expect(asked).toBe(1);
  // The next request resolves and checks anew: no connection and no answer is carried over.
  const second = await fetchPage(url, { rules, runtime });
  expect(Buffer.from(second.body).toString()).toBe("evil");
  expect(asked).toBe(2);
});

test("every hop is checked: a redirect to loopback is refused and never asked", async () => {
  let reached = 0;
  const inner = await site((_, response) => {
    reached += 1;
    response.writeHead(200, html).end(page("secret"));
  });
  const hosts = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0"];
  const targets = [
    ...hosts.map((host) => `http://${host}:${inner}/`),
    "file:///etc/passwd",
    "http://a:b@example.org/",
  ];
  const outer = await site((request, response) => {
    response.writeHead(302, { location: targets[Number(request.url?.slice(1))] }).end();
  });
  const rules = { ports: [inner], allowHosts: [`127.0.0.1:${outer}`] };
  for (const index of targets.keys()) {
    const url = pageUrl(`http://127.0.0.1:${outer}/${index}`, rules);
    await expect(fetchPage(url, { rules, runtime: systemRuntime })).rejects.toMatchObject({
      code: "POSTS_URL_REFUSED",
    });
  }
  expect(reached).toBe(0);
});

test("follows five redirects, relative ones too, and not six", async () => {
  const port = await site((request, response) => {
    const left = Number(request.url?.slice(1));
    if (left === 0) response.writeHead(200, html).end(page("there"));
    else response.writeHead(307, { location: String(left - 1) }).end();
  });
  expect((await fetchFrom(port, "/5")).url.pathname).toBe("/0");
  await expect(fetchFrom(port, "/6")).rejects.toEqual(unavailable(/redirected more than 5/));
});

test("an endless page is read up to the limit", async () => {
  const port = await site((_, response) => {
    response.writeHead(200, html).write(page("endless"));
    const more = (): void => {
      while (!response.destroyed && response.write("x".repeat(65_536)));
    };
    response.on("drain", more);
    more();
  });
  const { body } = await fetchFrom(port);
  expect(body.length).toBe(512 * 1024);
  expect(Buffer.from(body).toString()).toMatch(/^<html><head><title>endless/);
});

test("a bomb of any compression is refused, well before it is unpacked", async () => {
  const bomb = Buffer.concat([Buffer.from(page("bomb")), Buffer.alloc(64 * 1024 * 1024, 32)]);
  const packed: Record<string, Buffer> = {
    gzip: gzipSync(bomb),
    deflate: deflateSync(bomb),
    br: brotliCompressSync(bomb, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  };
  const port = await site((request, response) => {
    const encoding = request.url?.slice(1) ?? "";
    response.writeHead(200, { ...html, "content-encoding": encoding }).end(packed[encoding]);
  });
  for (const encoding of Object.keys(packed)) {
    await expect(fetchFrom(port, `/${encoding}`)).rejects.toMatchObject({
      code: "POSTS_PAGE_REFUSED",
      status: 422,
    });
  }
});

test("a large page that compresses well is read up to the limit", async () => {
  const words = Array.from({ length: 200_000 }, (_, i) => (i * 7919) % 10_007).join(" ");
  const packed = gzipSync(page("large") + words);
  const port = await site((_, response) => {
    response.writeHead(200, { ...html, "content-encoding": "gzip" }).end(packed);
  });
  const { body, cut } = await fetchFrom(port);
  expect([body.length, cut]).toEqual([512 * 1024, true]);
});

test("an endless compressed stream of nothing ends at the limit of the wire", async () => {
  const port = await site((_, response) => {
    response.writeHead(200, { ...html, "content-encoding": "gzip" });
    response.write(gzipSync("").subarray(0, 10));
    response.write(deflateRawSync(page("empty"), { finishFlush: constants.Z_SYNC_FLUSH }));
    // Stored blocks of no bytes: they decompress to nothing for ever.
    const nothing = Buffer.alloc(65_535, Buffer.from([0, 0, 0, 0xff, 0xff]));
    const more = (): void => {
      while (!response.destroyed && response.write(nothing));
    };
    response.on("drain", more);
    more();
  });
  const { body } = await fetchFrom(port);
  expect(Buffer.from(body).toString()).toBe(page("empty"));
});

test("compressed data that breaks off gives what there was; broken data nothing", async () => {
  const whole = gzipSync(`${page("cut")}${"z".repeat(10_000)}`);
  const port = await site((request, response) => {
    response.writeHead(200, { ...html, "content-encoding": request.url?.slice(1) });
    if (request.url === "/gzip") response.end(whole.subarray(0, -20));
    else response.end("this is not compressed");
  });
  expect(Buffer.from((await fetchFrom(port, "/gzip")).body).toString()).toMatch(/<title>cut/);
  await expect(fetchFrom(port, "/deflate")).rejects.toEqual(unavailable(/broken compression/));
  await expect(fetchFrom(port, "/br")).rejects.toEqual(unavailable(/broken compression/));
  await expect(fetchFrom(port, "/zstd")).rejects.toEqual(unavailable(/unknown content encoding/));
});

test("only HTML pages that were found", async () => {
  const port = await site((request, response) => {
    const [, status, type] = (request.url ?? "").split("/").map(decodeURIComponent);
    response.writeHead(Number(status), type ? { "content-type": type } : {}).end("{}");
  });
  for (const type of ["application/json", "image/png", "text/plain", "text/htmlx", ""]) {
    const path = `/200/${encodeURIComponent(type)}`;
    await expect(fetchFrom(port, path)).rejects.toEqual(unavailable(/not an HTML page/));
  }
  await expect(fetchFrom(port, "/404/text%2Fhtml")).rejects.toEqual(unavailable(/status 404/));
  await expect(fetchFrom(port, "/302/text%2Fhtml")).rejects.toEqual(unavailable(/status 302/));
  const found = await fetchFrom(port, `/200/${encodeURIComponent('Text/HTML; Charset="EUC-KR"')}`);
  expect(found.charset).toBe("EUC-KR");
});

test("slow headers, slow bodies and silent hosts end at the deadline", async () => {
  const silent = await listening(createTcpServer(() => {}));
  const limits = { totalMs: 150 };
  await expect(fetchFrom(silent, "/", limits)).rejects.toEqual(unavailable(/within 150 ms/));
  const rules = { ports: [], allowHosts: [`127.0.0.1:${silent}`] };
  const secure = pageUrl(`https://127.0.0.1:${silent}/`, rules);
  await expect(
    fetchPage(secure, { rules, runtime: systemRuntime, limits: { connectMs: 100 } }),
  ).rejects.toEqual(unavailable(/no connection within 100 ms/));
  const dribbling = await listening(
    createTcpServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      const timer = setInterval(() => socket.write("x-a: b\r\n"), 20);
      socket.once("close", () => clearInterval(timer));
    }),
  );
  await expect(fetchFrom(dribbling, "/", limits)).rejects.toEqual(unavailable(/within 150 ms/));
  for (const encoding of ["identity", "gzip"]) {
    const stalled = await site((_, response) => {
      response.writeHead(200, { ...html, "content-encoding": encoding });
      response.write(encoding === "gzip" ? gzipSync("<html>").subarray(0, 10) : "<html>");
    });
    await expect(fetchFrom(stalled, "/", limits)).rejects.toEqual(unavailable(/within 150 ms/));
  }
});

test("large headers, broken HTTP and refused connections are coded", async () => {
  const broken = await listening(
    createTcpServer((socket) => {
      socket.once("data", () => socket.end("SSH-2.0-OpenSSH_9.2p1\r\n"));
    }),
  );
  await expect(fetchFrom(broken)).rejects.toEqual(unavailable(/could not be fetched \(HPE_/));
  const large = await site((_, response) => {
    response.writeHead(200, { ...html, "x-large": "a".repeat(20_000) }).end();
  });
  await expect(fetchFrom(large)).rejects.toEqual(unavailable(/HPE_HEADER_OVERFLOW/));
  const closed = await site(() => {});
  closing.splice(0).forEach((close) => void close());
  await expect(fetchFrom(closed)).rejects.toEqual(unavailable(/ECONNREFUSED|ECONNRESET/));
});

test("an endless page is refused, unless it begins with what it is", async () => {
  const port = await site((request, response) => {
    response.writeHead(200, html);
    if (request.url === "/titled") response.write(page("titled"));
    const more = (): void => {
      while (!response.destroyed && response.write("x".repeat(65_536)));
    };
    response.on("drain", more);
    more();
  });
  const rules = { ports: [], allowHosts: [`127.0.0.1:${port}`] };
  const previews = previewSource({ rules, runtime: systemRuntime });
  await expect(previews.get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
    code: "POSTS_PAGE_REFUSED",
  });
  const { preview } = await previews.get(`http://127.0.0.1:${port}/titled`);
  expect(preview.title).toBe("titled");
});

test("a page is fetched once for all who ask, kept, and so is its failure", async () => {
  const asked: string[] = [];
  const port = await site((request, response) => {
    asked.push(request.url ?? "");
    if (request.url === "/none") response.writeHead(404).end();
    else response.writeHead(200, html).end(page("한글"));
  });
  const rules = { ports: [], allowHosts: [`127.0.0.1:${port}`] };
  const previews = previewSource({ rules, runtime: systemRuntime });
  const at = (path: string) => previews.get(`http://127.0.0.1:${port}${path}`);
  const all = await Promise.all([at("/a"), at("/a#x"), at("/b/../a")]);
  for (const { preview, source } of all) {
    expect(preview).toEqual({ url: `http://127.0.0.1:${port}/a`, title: "한글" });
    expect(source).toBe("loaded");
  }
  expect((await at("/a")).source).toBe("cache");
  await expect(at("/none")).rejects.toEqual(unavailable(/404/));
  await expect(at("/none")).rejects.toEqual(unavailable(/404/));
  expect(asked).toEqual(["/a", "/none"]);
});
