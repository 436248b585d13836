import { type CountryResponse, Reader } from "maxmind";
import { expect, test } from "vitest";

import { countryFile } from "./country-file.ts";
import { demoCountries } from "./demo-database.ts";

const builtAt = Date.UTC(2026, 0, 2, 3, 4, 5);
const read = (table: Parameters<typeof countryFile>[0]) =>
  new Reader<CountryResponse>(countryFile(table, builtAt));

test("every range of the demo is read back from its first to its last address", () => {
  const reader = read(demoCountries);
  expect(reader.metadata).toMatchObject({
    ipVersion: 6,
    recordSize: 24,
    buildEpoch: new Date(builtAt),
  });
  const expected: [string, string | undefined][] = [
    ["192.0.2.0", "KR"],
    ["192.0.2.127", "KR"],
    ["192.0.2.128", "US"],
    ["192.0.2.255", "US"],
    ["198.51.100.1", "DE"],
    ["198.51.100.200", "JP"],
    ["203.0.113.63", "FR"],
    ["203.0.113.64", "BR"],
    ["203.0.113.255", "EG"],
    ["2001:db8:1::", "KR"],
    ["2001:db8:1:ffff:ffff:ffff:ffff:ffff", "KR"],
    ["2001:db8:2::1", "US"],
    ["2001:db8:5::1", "JP"],
    ["192.0.1.255", undefined],
    ["192.0.3.0", undefined],
    ["127.0.0.1", undefined],
    ["10.0.0.1", undefined],
    ["2001:db8:6::1", undefined],
    ["::1", undefined],
  ];
  for (const [ip, country] of expected) {
    expect([ip, reader.get(ip)?.country?.iso_code]).toEqual([ip, country]);
  }
});

test("refuses networks that overlap or are none", () => {
  const overlapping: Parameters<typeof countryFile>[0][] = [
    [
      ["10.0.0.0/8", "AA"],
      ["10.1.0.0/16", "BB"],
    ],
    [
      ["10.1.0.0/16", "BB"],
      ["10.0.0.0/8", "AA"],
    ],
    [
      ["10.0.0.0/8", "AA"],
      ["10.0.0.0/8", "BB"],
    ],
  ];
  for (const table of overlapping) expect(() => read(table)).toThrow(/overlaps/);
  expect(() => read([["10.0.0.0", "AA"]])).toThrow(/not a network/);
});
