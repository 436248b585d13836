import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { FenceClaim } from "../../coordination/hold.ts";
import {
  type RedisConnection,
  type RedisServer,
  startRedisServer,
} from "../../testing/redis-server.ts";
import { findEngine } from "../../testing/server-process.fixture.ts";
import { type RedisCommand, redisFence, redisFenceLibrary } from "./redis-fence.ts";

const program = findEngine("redis-server");
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";

const claim = (token: string): FenceClaim => ({
  ...{ name: "/locks/stock/", token, key: "/locks/stock/x" },
  session: {} as FenceClaim["session"],
});
const older = claim("00000000.0000000000000009");
const newer = claim("00000000.000000000000000a");

describe.skipIf(program === undefined && !isRequired)(
  program === undefined
    ? "Redis (skipped: redis-server is neither on PATH nor in .engines)"
    : "the fence of Redis",
  () => {
    let server: RedisServer;
    let connection: RedisConnection;
    let command: RedisCommand;

    beforeAll(async () => {
      if (program === undefined) throw new Error("TENFOLD_REQUIRE_ENGINES is set, without Redis.");
      server = await startRedisServer(program);
      connection = await server.connect();
      command = connection.command;
    });
    afterAll(async () => {
      connection?.close();
      await server?.close();
    });

    test("the effects of the newer holder come about, those of the older one do not", async () => {
      await command(["FLUSHALL"]);
      await command(["FUNCTION", "FLUSH"]);
      const guard = redisFence(command);
      const first = await guard.run(older, (redis) =>
        redis([
          ["SET", "stock", "41"],
          ["INCRBY", "stock", "2"],
        ]),
      );
      expect(first).toEqual(["OK", 43]);
      await guard.run(newer, (redis) => redis([["SET", "stock", "50"]]));
      const late = guard.run(older, (redis) => redis([["SET", "stock", "44"]]));
      await expect(late).rejects.toMatchObject({
        code: "TENFOLD_COORDINATION_FENCED",
        retryable: false,
        details: { token: older.token, by: newer.token },
      });
      expect(await command(["GET", "stock"])).toBe("50");
      // The holder itself may act as often as it likes.
      expect(await guard.run(newer, (redis) => redis([["INCR", "stock"]]))).toEqual([51]);
    });

    test("two clients at once: what the older one writes never follows the newer one", async () => {
      await command(["FLUSHALL"]);
      const other = await server.connect();
      const [mine, others] = [redisFence(command), redisFence(other.command)];
      const refused: unknown[] = [];
      const write = async (guard: typeof mine, holder: FenceClaim): Promise<void> => {
        for (let index = 0; index < 300; index++) {
          await guard
            .run(holder, (redis) => redis([["RPUSH", "log", holder.token]]))
            .catch((error: unknown) => refused.push(error));
        }
      };
      await Promise.all([write(mine, older), write(others, newer)]);
      const log = (await command(["LRANGE", "log", "0", "-1"])) as string[];
      expect(log).toEqual(log.toSorted());
      expect(log.filter((token) => token === newer.token)).toHaveLength(300);
      expect(log.length + refused.length).toBe(600);
      other.close();
    });

    test("a server that lost its functions gets them again; failures pass unchanged", async () => {
      const guard = redisFence(command, { fenceKey: "{stock}fence", keys: ["{stock}list"] });
      await command(["FUNCTION", "FLUSH"]);
      await guard.run(newer, (redis) => redis([["RPUSH", "{stock}list", "a"]]));
      expect(await command(["GET", "{stock}fence"])).toBe(newer.token);
      const wrong = guard.run(newer, (redis) => redis([["INCR", "{stock}list"]]));
      await expect(wrong).rejects.toThrow(/WRONGTYPE/);
    });

    test("without the comparison the older holder does get through", async () => {
      const blind = redisFenceLibrary.replace("isSmaller(token, held)", "false");
      expect(blind).not.toBe(redisFenceLibrary);
      await command(["FUNCTION", "LOAD", "REPLACE", blind]);
      const guard = redisFence(command);
      await guard.run(newer, (redis) => redis([["SET", "stock", "50"]]));
      expect(await guard.run(older, (redis) => redis([["SET", "stock", "1"]]))).toEqual(["OK"]);
    });
  },
);
