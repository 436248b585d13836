import { fencedError } from "../../coordination/coordinator-fence.ts";
import type { FenceClaim, FenceGuard } from "../../coordination/hold.ts";
import { errorText, TenfoldError } from "../../runtime/errors.ts";

/**
 * Sends one command and gives its answer, or rejects with the server's error:
 * `(words) => client.sendCommand(words)` of npm `redis`, `([name, ...rest]) => client.call(name,
 * ...rest)` of `ioredis`.
 */
export type RedisCommand = (words: string[]) => Promise<unknown>;

/** A command under the fence, such as `["SET", "stock:7", "41"]`. */
export type RedisWords = readonly [name: string, ...rest: string[]];

/** Runs the commands in one step while no later holder acted. Gives their answers. */
export type FencedRedis = (commands: readonly RedisWords[]) => Promise<readonly unknown[]>;

/**
 * The function that stands in the server (Redis 7 and newer), where the token is compared and
 * stored in the same step as the effects. Keys: the fence, then the data's. Arguments: the token,
 * then each command as its number of words and the words. Tokens are compared byte by byte, since
 * Lua's `<` goes by the server's locale.
 */
export const redisFenceLibrary = `#!lua name=tenfold_fence_1
local function isSmaller(a, b)
  for i = 1, math.max(#a, #b) do
    local x, y = string.byte(a, i) or -1, string.byte(b, i) or -1
    if x ~= y then return x < y end
  end
  return false
end
redis.register_function('tenfold_fenced_1', function(keys, args)
  local token, held = args[1], redis.call('GET', keys[1])
  if held and isSmaller(token, held) then return redis.error_reply('TENFOLDFENCED ' .. held) end
  if held ~= token then redis.call('SET', keys[1], token) end
  local answers, at = {}, 2
  while at <= #args do
    local words = tonumber(args[at])
    answers[#answers + 1] = redis.call(unpack(args, at + 1, at + words))
    at = at + 1 + words
  end
  return answers
end)
`;

export interface RedisFenceOptions {
  /**
   * The key that keeps the greatest token, in place of `tenfold:fence:{NAME}`. In a cluster it must
   * lie in the slot of the data: give it the data's hash tag.
   */
  readonly fenceKey?: string;
  /** The keys that the commands touch. A cluster wants to know them; else they may be left out. */
  readonly keys?: readonly string[];
}

/**
 * Guards keys of Redis: the greatest token stands beside the data in the same server, and goes the
 * same ways as the data, also when a replica is promoted that misses the last writes. Redis does
 * not take back: when one of several commands fails, those before it stay.
 */
export function redisFence(
  command: RedisCommand,
  { fenceKey, keys = [] }: RedisFenceOptions = {},
): FenceGuard<FencedRedis> {
  const call = async (claim: FenceClaim, commands: readonly RedisWords[]): Promise<unknown> => {
    const all = [fenceKey ?? `tenfold:fence:{${claim.name}}`, ...keys];
    const words = commands.flatMap((one) => [String(one.length), ...one]);
    const sent = ["FCALL", "tenfold_fenced_1", String(all.length), ...all, claim.token, ...words];
    try {
      return await command(sent);
    } catch (error) {
      // A new server, or one that was emptied: nothing was done, so it may be done again.
      if (!/function not found/i.test(errorText(error))) throw error;
      await command(["FUNCTION", "LOAD", "REPLACE", redisFenceLibrary]);
      return await command(sent);
    }
  };
  return {
    run: (claim, work) =>
      work(async (commands) => {
        const answers = await call(claim, commands).catch((error: unknown) => {
          const [, by] = /TENFOLDFENCED (\S+)/.exec(errorText(error)) ?? [];
          throw by === undefined ? error : fencedError(claim, by);
        });
        if (Array.isArray(answers)) return answers;
        const message = "Redis did not answer with a list: is the fence's function another's?";
        throw new TenfoldError("TENFOLD_REDIS_ANSWER_INVALID", message);
      }),
  };
}
