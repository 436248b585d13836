import { TenfoldError } from "../runtime/errors.ts";
import type { RegistrationName } from "./registration.ts";

export function notRegistered({ service, instance }: RegistrationName): TenfoldError {
  return new TenfoldError(
    "TENFOLD_DISCOVERY_NOT_REGISTERED",
    `No instance ${instance} of ${service} is registered: register it again, with its address.`,
    { details: { service, instance } },
  );
}

export function nameTaken(key: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_DISCOVERY_NAME_TAKEN",
    `${key} was not registered over REST: a process of the fleet keeps this entry by itself.`,
    { details: { key } },
  );
}

export function registryFull(instancesMax: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_DISCOVERY_REGISTRY_FULL",
    `This registry keeps ${instancesMax} instances, which is its limit.`,
    { retryable: true, details: { instancesMax } },
  );
}

export function unavailable(why: string): TenfoldError {
  return new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", `The coordinator: ${why}.`, {
    retryable: true,
  });
}
