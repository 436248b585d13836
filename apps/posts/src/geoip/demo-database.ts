import { fileStorage, type Runtime } from "tenfold/runtime";

import { type CountryTable, countryFile } from "./country-file.ts";

/** The ranges set aside for documentation (RFC 5737, RFC 3849): nobody's address is among them. */
export const demoCountries: CountryTable = [
  ["192.0.2.0/25", "KR"],
  ["192.0.2.128/25", "US"],
  ["198.51.100.0/25", "DE"],
  ["198.51.100.128/25", "JP"],
  ["203.0.113.0/26", "FR"],
  ["203.0.113.64/26", "BR"],
  ["203.0.113.128/25", "EG"],
  ["2001:db8:1::/48", "KR"],
  ["2001:db8:2::/48", "US"],
  ["2001:db8:3::/48", "DE"],
  ["2001:db8:4::/47", "JP"],
];

/** Writes the demo's file into the folder and returns its name there. */
export async function writeDemoDatabase(
  folder: string,
  { clock }: Pick<Runtime, "clock">,
): Promise<string> {
  const name = "demo-country.mmdb";
  await fileStorage(folder).write(name, countryFile(demoCountries, clock.wallNow()));
  return name;
}
