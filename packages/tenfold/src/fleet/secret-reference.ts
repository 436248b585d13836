import { readFile } from "node:fs/promises";

import { errorText, TenfoldError } from "../runtime/errors.ts";
import { invalidOption } from "../runtime/options.ts";

/** Where a secret is: a file, of which trailing line ends are left out, or a variable. */
const shape = /^(file|env):(.+)$/s;

/** Is this text a secret reference: `file:PATH` or `env:NAME`? */
export function isSecretReference(text: string): boolean {
  return shape.test(text);
}

/**
 * What a secret reference stands for. The messages of errors name the reference, never the secret.
 *
 * @throws TENFOLD_OPTION_INVALID for a text that is no reference, which it does not repeat;
 * TENFOLD_FLEET_SECRET_UNREADABLE
 */
export async function resolveSecret(
  reference: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  const [, kind, place = ""] = shape.exec(reference) ?? [];
  if (kind === undefined) {
    throw invalidOption("a secret", "a reference, file:PATH or env:NAME", "a literal text");
  }
  const secret = kind === "env" ? environment[place] : await contents(place, reference);
  if (secret !== undefined && secret !== "") return secret;
  throw unreadable(reference, kind === "env" ? "the variable is not set" : "the file is empty");
}

/** The value with every text that is a secret reference replaced by what it stands for. */
export async function resolveSecrets(
  value: unknown,
  environment?: Readonly<Record<string, string | undefined>>,
): Promise<unknown> {
  if (typeof value === "string") {
    return isSecretReference(value) ? await resolveSecret(value, environment) : value;
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return await Promise.all(value.map((each) => resolveSecrets(each, environment)));
  }
  const entries = Object.entries(value).map(
    async ([key, inner]) => [key, await resolveSecrets(inner, environment)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

async function contents(path: string, reference: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).replace(/[\r\n]+$/, "");
  } catch (error) {
    throw unreadable(reference, errorText(error));
  }
}

function unreadable(reference: string, why: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_SECRET_UNREADABLE",
    `The secret ${reference} cannot be read: ${why}.`,
    { details: { reference } },
  );
}
