import { expect, test } from "vitest";

import { admission } from "./admission.ts";

const call = {
  ":method": "POST",
  ":authority": "127.0.0.1:2379",
  "content-type": "application/grpc",
};
const statusOf = (headers: Record<string, string>, token?: string): unknown => {
  try {
    admission(token, "127.0.0.1").admit({ ...call, ...headers }, "127.0.0.1");
    return "served";
  } catch (error) {
    return (error as { status: number }).status;
  }
};

test("the token, in either of its two places", () => {
  expect(statusOf({}, "t")).toBe(16);
  expect(statusOf({ token: "x" }, "t")).toBe(16);
  expect(statusOf({ authorization: "Bearer x" }, "t")).toBe(16);
  expect(statusOf({ token: "t" }, "t")).toBe("served");
  expect(statusOf({ authorization: "Bearer t" }, "t")).toBe("served");
  expect(statusOf({})).toBe("served");
});

test("no browser, under whatever name it came", () => {
  expect(statusOf({ origin: "http://evil.example", token: "t" }, "t")).toBe(7);
  expect(statusOf({ origin: "http://127.0.0.1:2379" })).toBe(7);
  expect(statusOf({ "sec-fetch-site": "cross-site" })).toBe(7);
  expect(statusOf({ ":authority": "evil.example:2379" })).toBe(7);
  expect(statusOf({ ":authority": "" })).toBe(7);
  expect(statusOf({ ":authority": "localhost:2379" })).toBe("served");
  expect(statusOf({ "content-type": "text/plain" })).toBe(12);
});

test("a client that cannot be given a token gets it for the password", () => {
  expect(admission("t", "127.0.0.1").authenticate("t")).toBe("t");
  expect(() => admission("t", "127.0.0.1").authenticate("x")).toThrow("authentication failed");
  expect(() => admission(undefined, "127.0.0.1").authenticate("t")).toThrow("not enabled");
  expect(statusOf({ ":path": "/etcdserverpb.Auth/Authenticate" }, "t")).toBe("served");
});
