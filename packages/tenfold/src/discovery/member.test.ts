import fc from "fast-check";
import { expect, it } from "vitest";

import { isTenfoldError } from "../runtime/errors.ts";
import type { Member } from "./endpoint.ts";
import { formatMember, parseMember } from "./member.ts";

const text = fc.string({ minLength: 1, maxLength: 60 });
const port = fc.integer({ min: 1, max: 65_535 });
const member: fc.Arbitrary<Member> = fc.record({
  id: text,
  service: text,
  host: text,
  zone: text,
  address: text,
  port,
  adminPort: port,
  protocol: fc.constant("http" as const),
  version: text,
  weight: fc.double({ min: 0, max: 1_000_000, noNaN: true }).map((value) => value + 0),
  pid: fc.integer({ min: 1, max: 4_194_304 }),
  startedAtMs: fc.integer({ min: 0, max: 2 ** 45 }),
});

it("reads what it writes", () => {
  fc.assert(
    fc.property(member, (given) => {
      expect(parseMember(formatMember(given))).toEqual(given);
    }),
  );
});

it("leaves out what it does not know", () => {
  const [sample] = fc.sample(member, { numRuns: 1, seed: 1 }) as [Member];
  const known = JSON.parse(formatMember(sample)) as object;
  expect(parseMember(JSON.stringify({ ...known, later: 1 }))).toEqual(sample);
});

it.each([
  ["{", "MEMBER_INVALID"],
  ["[]", "MEMBER_INVALID"],
  ["null", "MEMBER_INVALID"],
  ['{"format":2}', "FORMAT_UNKNOWN"],
  [{ port: 0 }, "MEMBER_INVALID"],
  [{ port: "80" }, "MEMBER_INVALID"],
  [{ port: 1.5 }, "MEMBER_INVALID"],
  [{ weight: -1 }, "MEMBER_INVALID"],
  [{ weight: null }, "MEMBER_INVALID"],
  [{ id: "" }, "MEMBER_INVALID"],
  [{ address: undefined }, "MEMBER_INVALID"],
  [{ protocol: "https" }, "MEMBER_INVALID"],
])("refuses %j", (given, code) => {
  const [sample] = fc.sample(member, { numRuns: 1, seed: 1 }) as [Member];
  const whole = JSON.parse(formatMember(sample)) as object;
  const json = typeof given === "string" ? given : JSON.stringify({ ...whole, ...given });
  try {
    parseMember(json);
    expect.unreachable();
  } catch (error) {
    expect(isTenfoldError(error) && error.code).toBe(`TENFOLD_DISCOVERY_${code}`);
  }
});
