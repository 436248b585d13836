import { createHash, randomBytes } from "node:crypto";

import { TenfoldError } from "../runtime/errors.ts";
import { invalidOption } from "../runtime/options.ts";
import type { Storage } from "../runtime/storage.ts";
import { isSecretReference, resolveSecret } from "./secret-reference.ts";

const fileName = "token";
const shape = /^[\w-]{16,200}$/;

/**
 * The fleet's own token, made on first use: who has it may look and shoot.
 * @throws TENFOLD_FLEET_FOLDER_UNUSABLE when the kept one is none
 */
export async function fleetToken(storage: Storage): Promise<string> {
  return (await keptToken(storage)) ?? (await makeToken(storage));
}

/** @throws TENFOLD_FLEET_FOLDER_UNUSABLE when the kept one is none */
export async function keptToken(storage: Storage): Promise<string | undefined> {
  const kept = await storage.read(fileName);
  if (kept === undefined) return undefined;
  const token = Buffer.from(kept).toString().trim();
  if (isToken(token)) return token;
  throw new TenfoldError(
    "TENFOLD_FLEET_FOLDER_UNUSABLE",
    "The file `token` in the data folder holds no token: remove it, and another is made.",
  );
}

export async function makeToken(storage: Storage): Promise<string> {
  const token = randomBytes(24).toString("base64url");
  await keepToken(storage, token);
  return token;
}

export async function keepToken(storage: Storage, token: string): Promise<void> {
  await storage.write(fileName, token);
}

export async function forgetToken(storage: Storage): Promise<void> {
  await storage.remove(fileName);
}

export function isToken(text: string): boolean {
  return shape.test(text);
}

/**
 * The token that a host is given to join by.
 *
 * @param option where it is, `file:PATH` or `env:NAME`; never itself, since the arguments of a
 * process are there for everyone on the machine to read
 * @param variable what a variable holds, without the option: the token itself, or where it is
 * @throws TENFOLD_OPTION_INVALID, which does not repeat what came; TENFOLD_FLEET_SECRET_UNREADABLE
 */
export async function joinToken(
  option: string | undefined,
  variable: string | undefined,
): Promise<string | undefined> {
  if (option !== undefined && !isSecretReference(option)) {
    throw invalidOption("--join", "a reference, file:PATH or env:NAME", "a literal text");
  }
  const given = option ?? variable;
  if (given === undefined || given === "") return undefined;
  return isSecretReference(given) ? await resolveSecret(given) : given;
}

/** What the coordinator may know of a token: it is drawn from 192 bits, so nobody turns it back. */
export function tokenDigest(token: string): string {
  return createHash("sha256").update(`tenfold join ${token}`).digest("hex");
}
