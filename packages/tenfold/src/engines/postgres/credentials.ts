import { createHmac, randomBytes } from "node:crypto";

import { fileStorage } from "../../runtime/storage.ts";

/** The passwords of a store's roles; every server of the store has the same. */
export interface PostgresCredentials {
  readonly superuser: string;
  readonly replicator: string;
  readonly app: string;
}

const fileName = "credentials.json";

/**
 * The store's passwords from its folder, made on first use; the file has mode 0600.
 *
 * @param secret what to derive them from, so that servers on several hosts have the same
 */
export async function postgresCredentials(
  folder: string,
  secret?: string,
): Promise<PostgresCredentials> {
  const storage = fileStorage(folder);
  const kept = await storage.read(fileName);
  if (kept !== undefined) return JSON.parse(Buffer.from(kept).toString()) as PostgresCredentials;
  const made = {
    superuser: password("superuser", secret),
    replicator: password("replicator", secret),
    app: password("app", secret),
  };
  await storage.write(fileName, JSON.stringify(made));
  return made;
}

function password(role: string, secret: string | undefined): string {
  if (secret === undefined) return randomBytes(24).toString("base64url");
  return createHmac("sha256", secret).update(`postgres ${role}`).digest("base64url");
}
