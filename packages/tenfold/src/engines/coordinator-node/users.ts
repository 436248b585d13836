import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";

import { TenfoldError } from "../../runtime/errors.ts";

/** Who may use a node, with everything it has. */
export interface CoordinatorUser {
  readonly name: string;
  /** What `hashPassword` made of the password. */
  readonly passwordHash: string;
}

/** scrypt's author's parameters for logging in: 16 MiB a try. */
const cost = { N: 16_384, r: 8, p: 1, maxmem: 33_554_432 } as const;
const keyBytes = 32;

/** The hash of a password as text, with its salt: what a users file holds. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt);
  return `scrypt$${salt.toString("base64url")}$${key.toString("base64url")}`;
}

/** @param passwordHash of nobody, too: who is unknown takes as long as who is known */
export async function matchesPassword(password: string, passwordHash: string): Promise<boolean> {
  const [, salt = "", expected = ""] = passwordHash.split("$");
  const key = await derive(password, Buffer.from(salt, "base64url"));
  const wanted = Buffer.from(expected, "base64url");
  return wanted.length === key.length && timingSafeEqual(key, wanted);
}

function derive(password: string, salt: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize("NFKC"), salt, keyBytes, cost, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}

const linePattern = /^([^:\s]{1,200}):(scrypt\$[\w-]{22}\$[\w-]{43})$/;

/**
 * The users of a file: a line `NAME:HASH` each, as `tenfold coordinator user NAME` prints them;
 * empty lines and lines that begin with # are passed over.
 * @throws TENFOLD_COORDINATOR_NODE_USERS_INVALID
 */
export function readUsers(text: string): readonly CoordinatorUser[] {
  const users = new Map<string, CoordinatorUser>();
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, passwordHash] = linePattern.exec(line) ?? [];
    if (name === undefined || passwordHash === undefined || users.has(name)) {
      const fault = name === undefined ? "is not NAME:HASH" : "names a user again";
      throw new TenfoldError(
        "TENFOLD_COORDINATOR_NODE_USERS_INVALID",
        `Line ${at + 1} of the users ${fault}. Make one with: npx tenfold coordinator user NAME`,
      );
    }
    users.set(name, { name, passwordHash });
  }
  if (users.size > 0) return [...users.values()];
  throw new TenfoldError("TENFOLD_COORDINATOR_NODE_USERS_INVALID", "The users file names nobody.");
}

/** Tokens that need no memory: they survive a restart and end with any change of the users. */
export interface UserTokens {
  issue(name: string): string;
  isValid(token: string): boolean;
}

/** Clients ask for a new one when it is over. */
const tokenLifeMs = 3_600_000;

export function userTokens(users: readonly CoordinatorUser[], wallNow: () => number): UserTokens {
  const secret = users.map(({ name, passwordHash }) => `${name}:${passwordHash}`).join("\n");
  const sign = (content: string): string =>
    createHmac("sha256", secret).update(content).digest("base64url");
  return {
    issue(name) {
      const content = `${Buffer.from(name).toString("base64url")}.${wallNow() + tokenLifeMs}`;
      return `${content}.${sign(content)}`;
    },
    isValid(token) {
      const end = token.lastIndexOf(".");
      const content = token.slice(0, Math.max(0, end));
      const [given, expected] = [Buffer.from(token.slice(end + 1)), Buffer.from(sign(content))];
      const isOurs = given.length === expected.length && timingSafeEqual(given, expected);
      return isOurs && Number(content.split(".")[1]) > wallNow();
    },
  };
}
