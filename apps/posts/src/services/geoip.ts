import { isAbsolute, join } from "node:path";
import ipaddr from "ipaddr.js";
import { defineService, type ServiceContext } from "tenfold/fleet";
import { invalidOption, refuseUnknownKeys } from "tenfold/runtime";

import { AppError } from "../app-error.ts";
import { createCountryDatabase } from "../geoip/country-database.ts";
import { writeDemoDatabase } from "../geoip/demo-database.ts";

/**
 * The country of an address: `GET /api/v1/geoip/:ip`; null when the database does not know. It
 * starts without a usable file too, and says so until there is one: a fleet must come up without.
 */
export const service = defineService({
  name: "geoip",
  async start(context: ServiceContext) {
    const { runtime } = context;
    const database = await createCountryDatabase({ path: await databasePath(context), runtime });
    return {
      routes: {
        "GET /api/v1/geoip/:ip": ({ params }) => {
          const ip = ipAddress(params.ip);
          return { status: 200, body: { ip, country: database.countryOf(ip) } };
        },
      },
      close: () => database.close(),
    };
  },
});

/** `database` is "demo", or an absolute path: the service's own working folder says nothing. */
async function databasePath({ instance, runtime, settings }: ServiceContext): Promise<string> {
  refuseUnknownKeys("the geoip service's settings", settings, ["database"]);
  const { database } = settings;
  if (database === "demo") {
    return join(instance.dataFolder, await writeDemoDatabase(instance.dataFolder, runtime));
  }
  if (typeof database === "string" && isAbsolute(database)) return database;
  throw invalidOption(
    "database",
    '"demo" or the absolute path of an .mmdb file (in a fleet file: join(import.meta.dirname, …))',
    database,
  );
}

/** The address in its shortest form; IPv4 inside IPv6 (::ffff:…) as IPv4. */
function ipAddress(text = ""): string {
  if (ipaddr.IPv4.isValidFourPartDecimal(text) || (text.includes(":") && isPlainIpv6(text))) {
    return ipaddr.process(text).toString();
  }
  throw new AppError("POSTS_IP_INVALID", "The path must end in an IPv4 or IPv6 address.");
}

/** Without a zone: `fe80::1%eth0` names an interface of some machine, not an address. */
function isPlainIpv6(text: string): boolean {
  return !text.includes("%") && ipaddr.IPv6.isValid(text);
}
