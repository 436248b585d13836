import { resolve } from "node:path";

import type { Coordinator } from "../coordination/coordinator.ts";
import { connectEtcd } from "../engines/etcd/client.ts";
import { invalidOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { isSecretReference, resolveSecret } from "./secret-reference.ts";

/**
 * What a coordinator asks its clients for. Everything but the user's name is a secret reference,
 * `file:PATH` or `env:NAME`, which every process of the fleet resolves for itself.
 */
export interface CoordinatorAccess {
  /** What `tenfold coordinator` was given as its token. */
  readonly token?: string;
  /** For etcd's own authentication. */
  readonly user?: string;
  readonly password?: string;
  /** TLS, for `https` endpoints: whom to trust (default whom Node trusts), as PEM. */
  readonly ca?: string;
  /** The certificate that a client shows, and its key, as PEM: both or none. */
  readonly certificate?: string;
  readonly key?: string;
}

const secrets = ["token", "password", "ca", "certificate", "key"] as const;

/** @throws TENFOLD_OPTION_UNKNOWN, TENFOLD_OPTION_INVALID; the text that came is not repeated */
export function checkCoordinatorAccess(access: CoordinatorAccess): void {
  refuseUnknownKeys("the coordinator's access", access, ["user", ...secrets]);
  for (const name of secrets) {
    const reference = access[name];
    if (reference === undefined || isSecretReference(reference)) continue;
    throw invalidOption(`access.${name}`, "a reference, file:PATH or env:NAME", "a literal text");
  }
  const { user, password, certificate, key } = access;
  if (user !== undefined && (typeof user !== "string" || user === "")) {
    throw invalidOption("access.user", "a name", user);
  }
  const pairs = {
    "user and password": [user, password],
    "certificate and key": [certificate, key],
  };
  for (const [names, [one, other]] of Object.entries(pairs)) {
    if ((one === undefined) === (other === undefined)) continue;
    throw invalidOption("access", `given both, ${names}`, "one without the other");
  }
}

/**
 * The access with every `file:PATH` absolute, for processes that run in another folder.
 * @param folder from where relative paths are meant
 */
export function absoluteAccess(access: CoordinatorAccess, folder: string): CoordinatorAccess {
  const absolute = secrets.flatMap((name) => {
    const path = access[name]?.match(/^file:(.+)$/s)?.[1];
    return path === undefined ? [] : [[name, `file:${resolve(folder, path)}`] as const];
  });
  return { ...access, ...Object.fromEntries(absolute) };
}

/** The variables that an access refers to by `env:NAME`. */
export function accessVariables(access: CoordinatorAccess): readonly string[] {
  return secrets.flatMap((name) => access[name]?.match(/^env:(.+)$/s)?.[1] ?? []);
}

/**
 * A client of a fleet's coordinator, which connects when it is first used.
 * @throws TENFOLD_FLEET_SECRET_UNREADABLE, TENFOLD_COORDINATION_ENDPOINT_INVALID
 */
export async function connectFleetCoordinator(
  endpoints: string,
  access: CoordinatorAccess,
  runtime: Runtime,
): Promise<Coordinator> {
  const resolved = await Promise.all(
    secrets.map(async (name) => {
      const reference = access[name];
      return reference === undefined ? [] : [[name, await resolveSecret(reference)] as const];
    }),
  );
  const { token, password, ...tls }: CoordinatorAccess = Object.fromEntries(resolved.flat());
  return connectEtcd({ endpoints, token, user: access.user, password, tls, runtime });
}
