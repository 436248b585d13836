import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";

/** How many of these posts no shard of the fleet has: asked at the databases themselves. */
export async function missingFromShards(
  dataFolder: string,
  acknowledged: ReadonlyMap<number, readonly bigint[]>,
): Promise<{ readonly asked: number; readonly missing: readonly bigint[] }> {
  const wanted = new Set([...acknowledged.values()].flat());
  const asked = wanted.size;
  const connections: { primary: string }[] = JSON.parse(
    readFileSync(join(dataFolder, "store-posts.json"), "utf8"),
  );
  for (const { primary } of connections) {
    const client = new pg.Client({ connectionString: primary });
    await client.connect();
    try {
      const ids = [...wanted].map(String);
      const { rows } = await client.query(
        "select id::text from posts where id = any($1::bigint[])",
        [ids],
      );
      for (const { id } of rows) wanted.delete(BigInt(id));
    } finally {
      await client.end();
    }
  }
  return { asked, missing: [...wanted] };
}
