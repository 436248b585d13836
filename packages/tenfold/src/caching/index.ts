export { type Cached, type CachedOptions, type CachedResult, cached } from "./cached.ts";
export {
  type NearCache,
  type NearCacheHit,
  type NearCacheOptions,
  type NearCacheStats,
  nearCache,
  nearCacheDefaults,
} from "./near-cache.ts";
export {
  type SingleFlight,
  type SingleFlightOptions,
  singleFlight,
  singleFlightDefaults,
} from "./single-flight.ts";
