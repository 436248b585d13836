import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Stand, stand } from "../testing/gateway-stand.ts";

let one: Stand;
beforeAll(async () => {
  one = await stand(1);
});
afterAll(() => one.close());

const hidden = "GET /posts/smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const post = "POST /posts/outer HTTP/1.1\r\nHost: a\r\n";

interface Sent {
  readonly statuses: readonly number[];
  /** What the backend saw. */
  readonly seen: readonly string[];
  /** How many requests the gateway took it for. */
  readonly handled: number;
}

/** What became of what was sent on one connection. */
async function send(text: string): Promise<Sent> {
  const handledBefore = one.total("tenfold_gateway_requests_total");
  const before = (await one.backends[0]?.seen())?.length ?? 0;
  const answer = await one.raw(text, 1_000);
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  const seen = (await one.backends[0]?.seen()) ?? [];
  const handled = one.total("tenfold_gateway_requests_total") - handledBefore;
  return { statuses, seen: seen.slice(before), handled };
}

describe("refused, the connection closed, and nothing of it reaches the service", () => {
  const chunked = "Transfer-Encoding: chunked\r\n";
  it.each([
    ["two Hosts", `GET /posts HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${hidden}`],
    ["no Host", `GET /posts HTTP/1.1\r\n\r\n${hidden}`],
    [
      "Content-Length beside chunked",
      `${post}Content-Length: 5\r\n${chunked}\r\n0\r\n\r\n${hidden}`,
    ],
    [
      "chunked beside Content-Length",
      `${post}${chunked}Content-Length: 5\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    ["two Content-Lengths", `${post}Content-Length: 0\r\nContent-Length: 60\r\n\r\n${hidden}`],
    ["a list of lengths", `${post}Content-Length: 0, 60\r\n\r\n${hidden}`],
    ["a signed length", `${post}Content-Length: +0\r\n\r\n${hidden}`],
    ["a negative length", `${post}Content-Length: -1\r\n\r\n${hidden}`],
    ["a hexadecimal length", `${post}Content-Length: 0x0\r\n\r\n${hidden}`],
    ["another coding first", `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ["chunked not last", `${post}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n${hidden}`],
    ["an unknown coding", `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`],
    ["chunked twice", `${post}${chunked}${chunked}\r\n0\r\n\r\n${hidden}`],
    [
      "chunked in HTTP/1.0",
      `POST /posts/outer HTTP/1.0\r\nHost: a\r\n${chunked}\r\n0\r\n\r\n${hidden}`,
    ],
    ["a space before the colon", `${post}Content-Length : 60\r\n\r\n${hidden}`],
    ["a folded header", `${post}X: a\r\n Content-Length: 60\r\n\r\n${hidden}`],
    ["a bare LF", `POST /posts/outer HTTP/1.1\nHost: a\n\n${hidden}`],
    ["a bare CR in a value", `${post}X: a\rContent-Length: 60\r\n\r\n${hidden}`],
    ["a NUL in a value", `${post}X: a\0b\r\n\r\n${hidden}`],
    ["a broken chunk size", `${post}${chunked}\r\n0x5\r\nhello\r\n0\r\n\r\n${hidden}`],
    ["a negative chunk size", `${post}${chunked}\r\n-5\r\nhello\r\n0\r\n\r\n${hidden}`],
    ["a chunk without its end", `${post}${chunked}\r\n5\r\nhelloX0\r\n\r\n${hidden}`],
    ["an LF after the chunk size", `${post}${chunked}\r\n5\nhello\r\n0\r\n\r\n${hidden}`],
    ["another authority", `GET http://b/posts HTTP/1.1\r\nHost: a\r\n\r\n${hidden}`],
    ["a fragment", `GET /posts#x HTTP/1.1\r\nHost: a\r\n\r\n${hidden}`],
    ["a dot segment", `GET /posts/../admin HTTP/1.1\r\nHost: a\r\n\r\n${hidden}`],
    [
      "a broken deadline",
      `GET /posts HTTP/1.1\r\nHost: a\r\nTenfold-Deadline-Ms: x\r\n\r\n${hidden}`,
    ],
    ["an unknown version", `GET /posts HTTP/3.7\r\nHost: a\r\n\r\n${hidden}`],
    ["too many headers", `${post}${"X: 1\r\n".repeat(101)}\r\n${hidden}`],
    ["too large a header", `${post}X: ${"x".repeat(20_000)}\r\n\r\n${hidden}`],
    ["CONNECT", `CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n${hidden}`],
    ["the HTTP/2 preface", `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`],
  ])("%s", async (_name, text) => {
    const { statuses, seen, handled } = await send(text);
    expect(seen.filter((request) => request.includes("smuggled"))).toEqual([]);
    expect(handled).toBeLessThanOrEqual(1);
    expect(statuses.length).toBeLessThanOrEqual(1);
    for (const status of statuses) expect(status).toSatisfy((s: number) => s >= 400 && s <= 501);
  });
});

describe("passed on as one request with one framing", () => {
  const size = hidden.length;
  it.each([
    ["a DELETE in chunks", "DELETE", `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`],
    [
      "an OPTIONS in chunks",
      "OPTIONS",
      `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`,
    ],
    ["a GET in chunks", "GET", `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`],
    ["a GET with a length", "GET", `Content-Length: ${size}\r\n\r\n`],
    [
      "an underscore length beside it",
      "POST",
      `Content_Length: 0\r\nContent-Length: ${size}\r\n\r\n`,
    ],
    ["an Upgrade to h2c", "POST", `Upgrade: h2c\r\nContent-Length: ${size}\r\n\r\n`],
    [
      "the length named hop-by-hop",
      "POST",
      `Connection: content-length\r\nContent-Length: ${size}\r\n\r\n`,
    ],
  ])("%s", async (_name, method, head) => {
    const end = head.includes("chunked") ? "\r\n0\r\n\r\n" : "";
    const text = `${method} /posts/outer HTTP/1.1\r\nHost: a\r\n${head}${hidden}${end}`;
    const { statuses, seen } = await send(text);
    expect(seen).toEqual([`${method} /posts/outer`]);
    expect(statuses).toEqual([200]);
  });

  it("a large DELETE in chunks, streamed", async () => {
    const filling = "x".repeat(70_000);
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
    const { statuses, seen } = await send(
      "DELETE /posts/outer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
        `${chunk(filling)}${chunk(hidden)}0\r\n\r\n`,
    );
    expect(seen).toEqual(["DELETE /posts/outer"]);
    expect(statuses).toEqual([200]);
  });

  it("two requests in a row are two requests", async () => {
    const first = "GET /posts/first HTTP/1.1\r\nHost: a\r\n\r\n";
    const { statuses, seen } = await send(first + hidden);
    expect(seen).toEqual(["GET /posts/first", "GET /posts/smuggled"]);
    expect(statuses).toEqual([200, 200]);
  });
});
