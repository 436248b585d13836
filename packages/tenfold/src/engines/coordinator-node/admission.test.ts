import { expect, test } from "vitest";

import { admission } from "./admission.ts";
import { type CoordinatorUser, hashPassword, readUsers } from "./users.ts";

const call = {
  ":method": "POST",
  ":authority": "127.0.0.1:2379",
  "content-type": "application/grpc",
};
const gate = (token?: string, users: readonly CoordinatorUser[] = [], isTls = false) =>
  admission({ token, users, host: "127.0.0.1", isTls, wallNow: () => 1_000 });
const statusOf = (headers: Record<string, string>, token?: string): unknown => {
  try {
    gate(token).admit({ ...call, ...headers }, "127.0.0.1");
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

test("a client that cannot be given a token gets it for the password", async () => {
  await expect(gate("t").authenticate("any", "t")).resolves.toBe("t");
  await expect(gate("t").authenticate("any", "x")).rejects.toThrow("authentication failed");
  await expect(gate().authenticate("any", "t")).rejects.toThrow("not enabled");
  expect(statusOf({ ":path": "/etcdserverpb.Auth/Authenticate" }, "t")).toBe("served");
});

test("users get a token for their own password, until it is over or the users change", async () => {
  const hash = await hashPassword("a");
  const users = readUsers(`# who\n\nann:${hash}\nbob:${hash}`);
  let now = 0;
  const wallNow = () => now;
  const own = { token: undefined, host: "127.0.0.1", isTls: false, wallNow };
  const door = admission({ ...own, users });
  for (const [name, password] of [
    ["ann", "b"],
    ["nobody", "a"],
  ] as const) {
    await expect(door.authenticate(name, password)).rejects.toThrow("authentication failed");
  }
  const token = await door.authenticate("ann", "a");
  const admit = (given: string, at = door) => at.admit({ ...call, token: given }, "127.0.0.1");
  admit(token);
  for (const bad of ["", ".", token.slice(1), `${token}x`, token.replace(/\.(.)/, ".9$1")]) {
    expect(() => admit(bad), bad).toThrow("invalid auth token");
  }
  const fewer = admission({ ...own, users: users.slice(1) });
  expect(() => admit(token, fewer)).toThrow("invalid auth token");
  now = 3_600_000;
  expect(() => admit(token)).toThrow("invalid auth token");
});

test("a users file that is not one names its line", () => {
  for (const [text, said] of [
    ["ann:secret", "Line 1"],
    ["", "nobody"],
    ["# only this", "nobody"],
  ] as const) {
    expect(() => readUsers(text)).toThrow(said);
  }
  const line = `ann:scrypt$${"a".repeat(22)}$${"b".repeat(43)}`;
  expect(() => readUsers(`${line}\n${line}`)).toThrow("Line 2 of the users names a user again");
});

test("over TLS any name that the certificate holds is ours", () => {
  const headers = { ...call, ":authority": "coordinator.example:2379", token: "t" };
  expect(() => gate("t").admit(headers, "10.0.0.1")).toThrow("host name");
  gate("t", [], true).admit(headers, "10.0.0.1");
});
