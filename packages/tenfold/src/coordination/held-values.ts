import { errorText } from "../runtime/errors.ts";
import type { Log } from "../runtime/log.ts";

/** The entries of a map by name, as they came and as readers want them. */
export interface HeldValues<Value> {
  /** Replaced, never changed. */
  readonly current: ReadonlyMap<string, Value>;
  /** As the coordinator has them, those that cannot be read included. */
  readonly values: ReadonlyMap<string, string>;
  change(put: readonly (readonly [name: string, value: string])[], gone: readonly string[]): void;
}

/** @param parse when it throws, the entry is left out of `current` and logged */
export function heldValues<Value>(
  prefix: string,
  parse: (value: string, name: string) => Value,
  log: Log,
): HeldValues<Value> {
  const values = new Map<string, string>();
  let current: ReadonlyMap<string, Value> = new Map();
  return {
    get current() {
      return current;
    },
    values,
    change(put, gone) {
      const next = new Map(current);
      for (const name of gone) {
        values.delete(name);
        next.delete(name);
      }
      for (const [name, value] of put) {
        if (values.get(name) === value) continue;
        values.set(name, value);
        next.delete(name);
        try {
          next.set(name, parse(value, name));
        } catch (error) {
          const reason = errorText(error);
          log.warn("left out an unreadable entry", { key: `${prefix}${name}`, error: reason });
        }
      }
      current = next;
    },
  };
}
