import { type Clock, systemClock } from "./clock.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log: one short constant message, the rest in fields. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log that adds `fields` to every line. */
  child(fields: LogFields): Log;
}

export const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

const secretKey = /(password|secret|token|authorization|cookie)/i;
const secretInUrl = /(\w+:\/\/[^\s:/@]+):[^\s@/]+@/g;

export interface JsonLogOptions {
  readonly level?: LogLevel;
  readonly write?: (line: string) => void;
  readonly clock?: Pick<Clock, "wallNow">;
}

/**
 * One JSON object a line: `time`, `level`, `message`, then the fields. Errors are written as
 * `{name, code, message, stack}`, bigints as strings; values under a key that names a secret, and
 * passwords inside URLs, are replaced by "[redacted]".
 */
export function jsonLog(options: JsonLogOptions = {}, base: LogFields = {}): Log {
  const write = options.write ?? ((line: string) => void process.stdout.write(`${line}\n`));
  const clock = options.clock ?? systemClock;
  const lowest = logLevels.indexOf(options.level ?? "info");
  const at = (level: LogLevel) => {
    if (logLevels.indexOf(level) < lowest) return () => {};
    return (message: string, fields?: LogFields): void => {
      const time = new Date(clock.wallNow()).toISOString();
      write(JSON.stringify({ time, level, message, ...base, ...fields }, redact));
    };
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => jsonLog(options, { ...base, ...fields }),
  };
}

/** A log that says nothing: the default of library parts that stand alone. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};

function redact(key: string, value: unknown): unknown {
  if (key !== "" && secretKey.test(key) && value !== undefined) return "[redacted]";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") return value.replace(secretInUrl, "$1:[redacted]@");
  if (value instanceof Error) {
    const { name, message, stack, cause } = value;
    return { name, code: (value as { code?: unknown }).code, message, stack, cause };
  }
  return value;
}
