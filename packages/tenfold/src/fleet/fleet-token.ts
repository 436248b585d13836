import { randomBytes } from "node:crypto";

import { TenfoldError } from "../runtime/errors.ts";
import type { Storage } from "../runtime/storage.ts";

/**
 * The fleet's own token, made on first use: who has it may look and shoot.
 * @throws TENFOLD_FLEET_FOLDER_UNUSABLE when the kept one is none
 */
export async function fleetToken(storage: Storage): Promise<string> {
  const kept = await storage.read("token");
  if (kept === undefined) {
    const token = randomBytes(24).toString("base64url");
    await storage.write("token", token);
    return token;
  }
  const token = Buffer.from(kept).toString().trim();
  if (/^[\w-]{16,}$/.test(token)) return token;
  throw new TenfoldError(
    "TENFOLD_FLEET_FOLDER_UNUSABLE",
    "The file `token` in the data folder holds no token: remove it, and another is made.",
  );
}
