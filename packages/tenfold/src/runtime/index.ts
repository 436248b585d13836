export { type Clock, sleepOn, systemClock, type Timer, type TimerOptions } from "./clock.ts";
export { type ErrorCode, errorCodes } from "./error-codes.ts";
export {
  abortError,
  errorReason,
  errorText,
  isTenfoldError,
  TenfoldError,
  type TenfoldErrorOptions,
} from "./errors.ts";
export {
  type JsonLogOptions,
  jsonLog,
  type Log,
  type LogFields,
  type LogLevel,
  logLevels,
  silentLog,
} from "./log.ts";
export {
  type Listener,
  type Network,
  type ResolvedAddress,
  type SocketAddress,
  systemNetwork,
} from "./network.ts";
export { invalidOption, type NumberRange, numberOption, refuseUnknownKeys } from "./options.ts";
export { type Random, seededRandom, systemRandom } from "./random.ts";
export { type Runtime, runtimeWith, systemRuntime } from "./runtime.ts";
export { fileStorage, type Storage } from "./storage.ts";
