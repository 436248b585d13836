import fc from "fast-check";
import { expect, it } from "vitest";

import { isTenfoldError } from "../runtime/errors.ts";
import { endpointProtocols, type Member } from "./endpoint.ts";
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
  protocol: fc.constantFrom(...endpointProtocols),
  version: text,
  weight: fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 1_000_000, noNaN: true })),
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

it("does without what a service of another kind has not", () => {
  const [sample] = fc.sample(member, { numRuns: 1, seed: 1 }) as [Member];
  const { pid: _, adminPort: __, ...bare } = sample;
  const given: Member = {
    ...bare,
    load: { utilisation: 0.25, requests: 7 },
    ttlMs: 10_000,
  };
  expect(parseMember(formatMember(given))).toEqual(given);
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
  [{ weight: 1e-9 }, "MEMBER_INVALID"],
  [{ protocol: "gopher" }, "MEMBER_INVALID"],
  [{ load: {} }, "MEMBER_INVALID"],
  [{ load: { utilisation: 1.5, requests: 0 } }, "MEMBER_INVALID"],
  [{ ttlMs: 10 }, "MEMBER_INVALID"],
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
