export {
  type FencedRedis,
  type RedisCommand,
  type RedisFenceOptions,
  type RedisWords,
  redisFence,
  redisFenceLibrary,
} from "./redis-fence.ts";
