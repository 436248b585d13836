import fc from "fast-check";
import { expect, it } from "vitest";

import { requestHeadersFor, responseHeadersFor, safeRequestId } from "./forwarded-headers.ts";

const origin = {
  requestId: "id",
  remoteAddress: "9.9.9.9",
  host: "example.org",
  forwardedFor: undefined,
  forwardedProto: undefined,
};
const ours = [
  ["x-request-id", "id"],
  ["x-forwarded-for", "9.9.9.9"],
  ["x-forwarded-proto", "http"],
  ["x-forwarded-host", "example.org"],
].flat();

it("never lets a client name what is ours away, or say it itself", () => {
  const name = fc.constantFrom(
    "Connection",
    "X-Forwarded-For",
    "x-forwarded-host",
    "X_Forwarded_For",
    "TE",
    "Transfer-Encoding",
    "Content-Length",
    "Upgrade",
    "Host",
    "Tenfold-Deadline-Ms",
    "X-Request-ID",
    "Forwarded",
    "Keep-Alive",
  );
  const value = fc.constantFrom("close", "x-request-id, x-forwarded-for", "6.6.6.6", "chunked");
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
      expect(requestHeadersFor(pairs.flat(), origin)).toEqual(ours);
    }),
  );
});

it("keeps the rest, in order and twice if it came twice", () => {
  const raw = ["Accept", "a", "Cookie", "x=1", "Cookie", "y=2", "Connection", "Accept"];
  const kept = ["cookie", "x=1", "cookie", "y=2", ...ours];
  expect(requestHeadersFor(raw, origin)).toEqual(kept);
});

it("goes on with the chain of a trusted proxy", () => {
  const trusted = { ...origin, forwardedFor: "1.1.1.1", forwardedProto: "https" };
  const headers = requestHeadersFor([], trusted);
  expect(headers).toContain("1.1.1.1, 9.9.9.9");
  expect(headers).toContain("https");
});

it("keeps an answer's framing and cookies, not its connection", () => {
  const headers = responseHeadersFor(
    {
      "content-length": "3",
      "set-cookie": ["a", "b"],
      "keep-alive": "t",
      connection: "X-Hop, Content-Length",
      "x-hop": "1",
      "x-request-id": "other",
      "tenfold-retry": "stop",
    },
    { "x-request-id": "id" },
  );
  const kept = ["content-length", "3", "set-cookie", "a", "set-cookie", "b", "x-request-id", "id"];
  expect(headers).toEqual(kept);
});

it("takes only plain request ids", () => {
  expect(safeRequestId("a.B-9_z")).toBe("a.B-9_z");
  for (const id of ["", "a b", "a\n", "é", "x".repeat(129), undefined]) {
    expect(safeRequestId(id)).toBeUndefined();
  }
});
