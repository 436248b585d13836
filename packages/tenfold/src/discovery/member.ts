import { TenfoldError } from "../runtime/errors.ts";
import {
  type EndpointLoad,
  type EndpointProtocol,
  endpointProtocols,
  type Member,
} from "./endpoint.ts";

/** The version of the JSON form; a reader refuses every other. */
const formatVersion = 1;

/** The entry's text in the members map. */
export function formatMember(member: Member): string {
  const { id, service, host, zone, address, port, adminPort, protocol } = member;
  const { version, weight, load, pid, startedAtMs, ttlMs } = member;
  return JSON.stringify({
    format: formatVersion,
    id,
    service,
    host,
    zone,
    address,
    port,
    adminPort,
    protocol,
    version,
    weight,
    load,
    pid,
    startedAtMs,
    ttlMs,
  });
}

/**
 * Reads an entry of the members map. Fields that it does not know are left out.
 *
 * @throws TENFOLD_DISCOVERY_FORMAT_UNKNOWN, TENFOLD_DISCOVERY_MEMBER_INVALID naming the field
 */
export function parseMember(json: string): Member {
  const fields = objectOf(json);
  if (fields.format !== formatVersion) {
    throw new TenfoldError(
      "TENFOLD_DISCOVERY_FORMAT_UNKNOWN",
      `This member entry has format ${JSON.stringify(fields.format)}; only ${formatVersion} is ` +
        "known here.",
    );
  }
  return memberOf(fields);
}

/**
 * A member from fields that came from outside, each checked.
 *
 * @throws TENFOLD_DISCOVERY_MEMBER_INVALID naming the field
 */
export function memberOf(fields: Fields): Member {
  const { load } = fields;
  const member: Member = {
    id: text(fields, "id"),
    service: text(fields, "service"),
    host: text(fields, "host"),
    zone: text(fields, "zone"),
    address: text(fields, "address"),
    port: number(fields, "port", portRange),
    protocol: protocol(fields.protocol),
    version: text(fields, "version"),
    weight: fields.weight === 0 ? 0 : number(fields, "weight", weightRange),
    startedAtMs: number(fields, "startedAtMs", {
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
      whole: true,
    }),
  };
  return {
    ...member,
    ...(fields.adminPort !== undefined && { adminPort: number(fields, "adminPort", portRange) }),
    ...(fields.pid !== undefined && {
      pid: number(fields, "pid", { min: 1, max: 2 ** 31, whole: true }),
    }),
    ...(load !== undefined && { load: loadOf(load) }),
    ...(fields.ttlMs !== undefined && { ttlMs: number(fields, "ttlMs", memberTtlRange) }),
  };
}

/** As the balancer takes it: a single weight outside would cost it the whole list. */
const weightRange = { min: 1e-6, max: 1e6, whole: false } as const;
/** How long an entry registered over REST may stay without a heartbeat. */
export const memberTtlRange = { min: 2_000, max: 600_000, whole: true } as const;
const portRange = { min: 1, max: 65_535, whole: true } as const;

/**
 * What an instance says of its load, checked.
 *
 * @throws TENFOLD_DISCOVERY_MEMBER_INVALID naming the field
 */
export function loadOf(value: unknown): EndpointLoad {
  if (typeof value !== "object" || value === null) {
    throw invalid("load", "an object { utilisation, requests }", value);
  }
  const fields = value as Fields;
  return {
    utilisation: number(fields, "utilisation", { min: 0, max: 1, whole: false }),
    requests: number(fields, "requests", { min: 0, max: 1e9, whole: true }),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(json: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new TenfoldError("TENFOLD_DISCOVERY_MEMBER_INVALID", "A member entry must be JSON.", {
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalid("entry", "an object", value);
}

function protocol(value: unknown): EndpointProtocol {
  const known = endpointProtocols.find((each) => each === value);
  if (known !== undefined) return known;
  throw invalid("protocol", `one of ${endpointProtocols.join(", ")}`, value);
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string" && value.length > 0 && value.length <= 255) return value;
  throw invalid(name, "a text of 1 to 255 characters", value);
}

function number(
  fields: Fields,
  name: string,
  { min, max, whole }: { readonly min: number; readonly max: number; readonly whole: boolean },
): number {
  const value = fields[name];
  const fits = typeof value === "number" && value >= min && value <= max;
  if (fits && (!whole || Number.isInteger(value))) return value;
  throw invalid(name, `${whole ? "a whole number" : "a number"} from ${min} to ${max}`, value);
}

function invalid(field: string, expected: string, value: unknown): TenfoldError {
  const came = JSON.stringify(value)?.slice(0, 80);
  return new TenfoldError(
    "TENFOLD_DISCOVERY_MEMBER_INVALID",
    `The ${field} of a member must be ${expected}, got ${came}.`,
    { details: { field } },
  );
}
