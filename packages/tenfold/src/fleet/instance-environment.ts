import { isIP } from "node:net";
import { resolve } from "node:path";

import { parseEtcdEndpoints } from "../engines/etcd/endpoints.ts";
import { errorText, TenfoldError } from "../runtime/errors.ts";
import { type LogLevel, logLevels } from "../runtime/log.ts";
import { type CoordinatorAccess, checkCoordinatorAccess } from "./coordinator-access.ts";
import { isSecretReference } from "./secret-reference.ts";
import type { Instance } from "./service.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a process of a fleet is told from outside. */
export interface InstanceEnvironment {
  /** Port 0 and admin port 0: the process takes free ones. */
  readonly instance: Instance;
  /** `etcd://host:port,host:port`, or one `http(s)://host:port`. */
  readonly coordinator: string;
  /** What the coordinator asks for; undefined: the fleet's token. */
  readonly coordinatorAccess: CoordinatorAccess | undefined;
  /** Secret reference to the fleet's token; undefined: the process makes one of its own. */
  readonly token: string | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
  /**
   * By store: its connection settings, or a secret reference to a text that holds them as JSON.
   * Inside, every text that begins with `file:` or `env:` is a secret reference.
   */
  readonly stores: Readonly<Record<string, unknown>>;
  readonly logLevel: LogLevel;
}

/** What the one who starts the process knows already. */
export interface InstanceDefaults {
  readonly service: string;
  readonly pid: number;
  readonly fleet?: string;
  readonly version?: string;
}

/** Every variable that a process of a fleet reads. An empty one counts as not set. */
export const instanceVariables = {
  TENFOLD_FLEET: "The fleet's name; default that of the fleet file.",
  TENFOLD_SERVICE: "The service's name; default what the service calls itself.",
  TENFOLD_INSTANCE: "The instance's name, unique in the fleet; default SERVICE-PID.",
  TENFOLD_HOST: "The host's name; default local.",
  TENFOLD_ZONE: "The host's failure domain; default local.",
  TENFOLD_ADDRESS: "What it binds to and advertises: an IP address or a name; default 127.0.0.1.",
  TENFOLD_PORT: "Where it serves, 0 … 65535; default 0, which takes a free one.",
  TENFOLD_ADMIN_PORT: "Where /metrics, /healthz and /readyz are, 0 … 65535; default 0.",
  TENFOLD_DATA: "A folder of its own; default .tenfold/FLEET/INSTANCE.",
  TENFOLD_VERSION: "The version that it advertises; default dev.",
  TENFOLD_COORDINATOR: "etcd://HOST:PORT,HOST:PORT; default etcd://127.0.0.1:2379.",
  TENFOLD_COORDINATOR_ACCESS:
    "What the coordinator asks for, a JSON object of token, user, password, ca, certificate and " +
    "key, each but the user a secret reference; default the fleet's token.",
  TENFOLD_TOKEN: "Secret reference to the fleet's token; default a new one in its data folder.",
  TENFOLD_SETTINGS: "The service's settings, a JSON object; default {}.",
  TENFOLD_STORES:
    "Store name to connection settings, a JSON object. A text file:PATH or env:NAME in it is a " +
    "secret reference, and a whole store may be one; default {}.",
  TENFOLD_LOG_LEVEL: "debug, info, warn or error; default info.",
} as const;

export type InstanceVariable = keyof typeof instanceVariables;

/** @throws TENFOLD_FLEET_ENVIRONMENT_INVALID naming the variable */
export function parseInstanceEnvironment(
  environment: Environment,
  defaults: InstanceDefaults,
): InstanceEnvironment {
  const read = <Value>(
    variable: InstanceVariable,
    fallback: Value,
    parse: (text: string) => Value,
  ): Value => {
    const text = environment[variable];
    if (text === undefined || text === "") return fallback;
    try {
      return parse(text);
    } catch (error) {
      throw invalid(variable, errorText(error));
    }
  };
  const fleet = read("TENFOLD_FLEET", defaults.fleet ?? "local", name);
  const service = read("TENFOLD_SERVICE", defaults.service, name);
  const instance = read("TENFOLD_INSTANCE", `${service}-${defaults.pid}`, name);
  return {
    instance: {
      fleet,
      service,
      name: instance,
      host: read("TENFOLD_HOST", "local", label),
      zone: read("TENFOLD_ZONE", "local", label),
      address: read("TENFOLD_ADDRESS", "127.0.0.1", address),
      port: read("TENFOLD_PORT", 0, port),
      adminPort: read("TENFOLD_ADMIN_PORT", 0, port),
      dataFolder: read("TENFOLD_DATA", resolve(".tenfold", fleet, instance), (text) =>
        resolve(text),
      ),
      version: read("TENFOLD_VERSION", defaults.version ?? "dev", label),
    },
    coordinator: read("TENFOLD_COORDINATOR", "etcd://127.0.0.1:2379", coordinator),
    coordinatorAccess: read<CoordinatorAccess | undefined>(
      "TENFOLD_COORDINATOR_ACCESS",
      undefined,
      coordinatorAccess,
    ),
    token: read<string | undefined>("TENFOLD_TOKEN", undefined, secretReference),
    settings: read("TENFOLD_SETTINGS", {}, jsonObject),
    stores: read("TENFOLD_STORES", {}, jsonObject),
    logLevel: read("TENFOLD_LOG_LEVEL", "info", logLevel),
  };
}

/** The variables that `parseInstanceEnvironment` reads as this. */
export function formatInstanceEnvironment(
  environment: InstanceEnvironment,
): Partial<Record<InstanceVariable, string>> {
  const { instance, coordinator, coordinatorAccess, token } = environment;
  const { settings, stores, logLevel } = environment;
  return {
    TENFOLD_FLEET: instance.fleet,
    TENFOLD_SERVICE: instance.service,
    TENFOLD_INSTANCE: instance.name,
    TENFOLD_HOST: instance.host,
    TENFOLD_ZONE: instance.zone,
    TENFOLD_ADDRESS: instance.address,
    TENFOLD_PORT: String(instance.port),
    TENFOLD_ADMIN_PORT: String(instance.adminPort),
    TENFOLD_DATA: instance.dataFolder,
    TENFOLD_VERSION: instance.version,
    TENFOLD_COORDINATOR: coordinator,
    ...(coordinatorAccess === undefined
      ? {}
      : { TENFOLD_COORDINATOR_ACCESS: JSON.stringify(coordinatorAccess) }),
    ...(token === undefined ? {} : { TENFOLD_TOKEN: token }),
    TENFOLD_SETTINGS: JSON.stringify(settings),
    TENFOLD_STORES: JSON.stringify(stores),
    TENFOLD_LOG_LEVEL: logLevel,
  };
}

function name(text: string): string {
  return matching(text, /^[a-z0-9][a-z0-9-]{0,62}$/, "lower case letters, digits and dashes");
}

function label(text: string): string {
  return matching(text, /^[\w][\w.+-]{0,62}$/, "letters, digits and ._+-, at most 63");
}

function address(text: string): string {
  if (isIP(text) !== 0) return text;
  return matching(text, /^(?=.*[a-z])[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i, "an IP or a name");
}

function port(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (number <= 65_535) return number;
  throw new TypeError(`expected a port from 0 to 65535, got ${JSON.stringify(text)}`);
}

function coordinator(text: string): string {
  parseEtcdEndpoints(text);
  return text;
}

function coordinatorAccess(text: string): CoordinatorAccess {
  const access: CoordinatorAccess = jsonObject(text);
  checkCoordinatorAccess(access);
  return access;
}

function logLevel(text: string): LogLevel {
  const level = logLevels.find((each) => each === text);
  if (level !== undefined) return level;
  throw new TypeError(`expected one of ${logLevels.join(", ")}, got ${JSON.stringify(text)}`);
}

/** What came is not repeated: it may be the secret itself. */
function secretReference(text: string): string {
  if (isSecretReference(text)) return text;
  throw new TypeError("expected a secret reference, file:PATH or env:NAME");
}

/** What came is not repeated, since secrets may be in it. */
function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TypeError("expected a JSON object; it is no JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new TypeError("expected a JSON object");
}

function matching(text: string, shape: RegExp, expected: string): string {
  if (shape.test(text)) return text;
  throw new TypeError(`expected ${expected}, got ${JSON.stringify(text.slice(0, 80))}`);
}

function invalid(variable: InstanceVariable, why: string): TenfoldError {
  return new TenfoldError("TENFOLD_FLEET_ENVIRONMENT_INVALID", `${variable}: ${why}.`, {
    details: { variable },
  });
}
