import { invalidOption } from "../../runtime/options.ts";
import type { PostgresCredentials } from "./credentials.ts";
import type { PostgresServerSpec, PostgresShard } from "./shard-plan.ts";

/** How a service reaches one shard: URLs with user, password and database. */
export interface ShardConnection {
  readonly name: string;
  readonly primary: string;
  readonly standbys: readonly string[];
}

/** The role and the database that services use; it owns nothing else. */
export const appRole = "app";
export const superuserRole = "tenfold";
export const replicationRole = "replicator";

/** The connections of servers that we run. The first server of each shard is its primary. */
export function storeConnections(
  shards: readonly PostgresShard[],
  credentials: PostgresCredentials,
): readonly ShardConnection[] {
  return shards.map(({ name, servers }) => {
    const [primary = "", ...standbys] = servers.map((server) =>
      postgresUrl(server, appRole, credentials.app, appRole),
    );
    return { name, primary, standbys };
  });
}

/**
 * The connections of servers that somebody else runs, one URL a shard; nothing is started.
 * @throws TENFOLD_OPTION_INVALID; the message does not repeat the URL, which may carry a password
 */
export function urlConnections(store: string, urls: readonly string[]): readonly ShardConnection[] {
  return urls.map((url, index) => {
    const scheme = URL.canParse(url) ? new URL(url).protocol : "no URL";
    if (scheme !== "postgres:" && scheme !== "postgresql:") {
      throw invalidOption(`urls[${index}]`, "a postgres:// URL", scheme);
    }
    return { name: `${store}-${index}`, primary: url, standbys: [] };
  });
}

export function postgresUrl(
  server: Pick<PostgresServerSpec, "address" | "port">,
  user: string,
  password: string,
  database: string,
): string {
  const host = server.address.includes(":") ? `[${server.address}]` : server.address;
  return `postgres://${user}:${encodeURIComponent(password)}@${host}:${server.port}/${database}`;
}
