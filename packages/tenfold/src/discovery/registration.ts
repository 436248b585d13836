import { TenfoldError } from "../runtime/errors.ts";
import { refuseUnknownKeys } from "../runtime/options.ts";
import type { Member } from "./endpoint.ts";
import { memberOf } from "./member.ts";

export const registrationDefaults: { readonly ttlMs: number } = Object.freeze({
  /** Three heartbeats, of which two may be lost, at one every five seconds. */
  ttlMs: 15_000,
});

/** Whose entry it is. */
export interface RegistrationName {
  readonly service: string;
  readonly instance: string;
}

const nameShape = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/i;
const addressShape = /^(?:[0-9a-f:.]*:[0-9a-f:.]*|[a-z0-9](?:[a-z0-9.-]{0,252}))$/i;
const known = ["address", "port", "protocol", "zone", "version", "weight", "load", "adminPort"];

/** @throws TENFOLD_DISCOVERY_MEMBER_INVALID for what is no name of a service or an instance */
export function registrationName(service: unknown, instance: unknown): RegistrationName {
  return { service: nameOf("service", service), instance: nameOf("instance", instance) };
}

export interface RegistrationPlace {
  /** What the registry itself is: stands for what the body leaves out. */
  readonly host: string;
  readonly zone: string;
  readonly nowMs: number;
}

/**
 * The member that a service in any language describes: `address` and `port`, and by choice
 * `protocol`, `zone`, `version`, `weight`, `load`, `adminPort` and `ttlMs`.
 *
 * @throws TENFOLD_DISCOVERY_MEMBER_INVALID naming the field
 */
export function registration(
  { service, instance }: RegistrationName,
  body: unknown,
  { host, zone, nowMs }: RegistrationPlace,
): Member & { readonly ttlMs: number } {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalid("body", 'a JSON object such as {"address":"10.0.0.7","port":8080}', body);
  }
  refuseUnknownKeys("The body", body, [...known, "ttlMs"], "TENFOLD_DISCOVERY_MEMBER_INVALID");
  const { address } = body as { readonly address?: unknown };
  if (typeof address !== "string" || !addressShape.test(address)) {
    throw invalid("address", "an IP address or a host name", address);
  }
  const { ttlMs } = registrationDefaults;
  const given = { protocol: "http", version: "unknown", weight: 1, zone, ttlMs, ...body };
  const member = memberOf({ ...given, host, startedAtMs: nowMs, id: instance, service });
  return { ...member, ttlMs: member.ttlMs ?? ttlMs };
}

function nameOf(field: string, value: unknown): string {
  if (typeof value === "string" && nameShape.test(value)) return value;
  throw invalid(field, "1 to 63 letters, digits, dots, dashes and underscores", value);
}

function invalid(field: string, expected: string, value: unknown): TenfoldError {
  const came = JSON.stringify(value)?.slice(0, 80);
  return new TenfoldError(
    "TENFOLD_DISCOVERY_MEMBER_INVALID",
    `The ${field} of a registration must be ${expected}, got ${came}.`,
    { details: { field } },
  );
}
