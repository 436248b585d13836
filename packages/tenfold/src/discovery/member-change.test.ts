import { expect, it } from "vitest";

import type { Member } from "./endpoint.ts";
import { isWorthWriting } from "./member-change.ts";

const member: Member = {
  id: "posts-1",
  service: "posts",
  host: "a",
  zone: "z",
  address: "127.0.0.1",
  port: 1,
  protocol: "http",
  version: "1",
  weight: 1,
  startedAtMs: 1,
};
const load = { utilisation: 0.2, requests: 10 };

it.each([
  ["another weight", { weight: 2 }, 0, true],
  ["another version", { version: "2" }, 0, true],
  ["a field more", { adminPort: 9 }, 0, true],
  ["nothing", {}, 1e6, false],
  ["another start of the same", { startedAtMs: 2 }, 1e6, false],
  ["a load at last", { load }, 5_000, true],
  ["a load too soon", { load }, 4_999, false],
])("%s", (_what, change, sinceMs, worth) => {
  expect(isWorthWriting(member, { ...member, ...change }, sinceMs)).toBe(worth);
});

it.each([
  [{ utilisation: 0.29, requests: 10 }, false],
  [{ utilisation: 0.31, requests: 10 }, true],
  [{ utilisation: 0.2, requests: 17 }, false],
  [{ utilisation: 0.2, requests: 19 }, false],
  [{ utilisation: 0.2, requests: 20 }, true],
  [{ utilisation: 0.2, requests: 2 }, true],
  [{ utilisation: 0.2, requests: 6 }, false],
  [undefined, true],
])("a load that becomes %j", (after, worth) => {
  expect(isWorthWriting({ ...member, load }, { ...member, load: after }, 10_000)).toBe(worth);
});
