import { TenfoldError } from "../runtime/errors.ts";
import type { CoordinatorCapabilities, Transaction } from "./coordinator.ts";

type Limits = Pick<CoordinatorCapabilities, "keyBytesMax" | "valueBytesMax" | "operationsMax">;

/**
 * Refuses what the servers would store differently, or not at all: an empty key, one with a NUL
 * (ZooKeeper and C programs end there), text that is no UTF-8 (half a surrogate pair), too long.
 * @throws TENFOLD_COORDINATION_KEY_INVALID
 */
export function checkKey(key: string, limits: Limits): void {
  if (key === "") throw keyInvalid("is empty", key);
  checkPrefix(key, limits);
}

/** As a key, but empty means every key. @throws TENFOLD_COORDINATION_KEY_INVALID */
export function checkPrefix(prefix: string, { keyBytesMax }: Limits): void {
  if (prefix.includes("\0")) throw keyInvalid("holds a NUL character", prefix);
  if (!prefix.isWellFormed()) throw keyInvalid("holds half a surrogate pair", prefix);
  if (isLongerThan(prefix, keyBytesMax)) {
    throw keyInvalid(`is longer than ${keyBytesMax} bytes of UTF-8`, prefix);
  }
}

/**
 * @throws TENFOLD_COORDINATION_KEY_INVALID, TENFOLD_COORDINATION_VALUE_INVALID,
 *   TENFOLD_COORDINATION_REFUSED for too many operations, or two on one key
 */
export function checkTransaction(transaction: Transaction, limits: Limits): void {
  const { when = [], change, otherwiseRead = [] } = transaction;
  const operations = Math.max(when.length, change.length, otherwiseRead.length);
  if (operations > limits.operationsMax) {
    throw refused(
      `A transaction has at most ${limits.operationsMax} changes, conditions and reads each; ` +
        `this one has ${operations}. Split it.`,
    );
  }
  const changed = new Set<string>();
  for (const one of change) {
    const key = "put" in one ? one.put : one.delete;
    checkKey(key, limits);
    if (changed.has(key)) {
      throw refused(`A transaction changes a key once; this one changes ${shown(key)} twice.`);
    }
    changed.add(key);
    if ("put" in one) checkValue(one.value, key, limits);
  }
  for (const { key } of when) checkKey(key, limits);
  for (const key of otherwiseRead) checkKey(key, limits);
}

function checkValue(value: string, key: string, { valueBytesMax }: Limits): void {
  const fault = isLongerThan(value, valueBytesMax)
    ? `is longer than ${valueBytesMax} bytes of UTF-8: keep it elsewhere and put a reference here`
    : "holds half a surrogate pair, which UTF-8 cannot say";
  if (value.isWellFormed() && !isLongerThan(value, valueBytesMax)) return;
  throw new TenfoldError(
    "TENFOLD_COORDINATION_VALUE_INVALID",
    `The value for ${shown(key)} ${fault}.`,
    { details: { key } },
  );
}

/** A character takes one to three bytes, a pair of them four: long texts are counted only then. */
function isLongerThan(text: string, bytesMax: number): boolean {
  if (text.length * 3 <= bytesMax) return false;
  return text.length > bytesMax || new TextEncoder().encode(text).length > bytesMax;
}

function keyInvalid(fault: string, key: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATION_KEY_INVALID",
    `The key ${shown(key)} ${fault}: give a text such as /fleet/name.`,
  );
}

function refused(message: string): TenfoldError {
  return new TenfoldError("TENFOLD_COORDINATION_REFUSED", message);
}

function shown(key: string): string {
  return JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key);
}
