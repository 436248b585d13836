import { TenfoldError } from "../runtime/errors.ts";
import { shown } from "../runtime/options.ts";
import { hexOf } from "./hex.ts";
import type { PartitionKey } from "./key-map.ts";

const shownMax = 80;

/** Rows as people and JSON can read them. */
export type ShownRow = Readonly<Record<string, string | number>>;

/** The error for a placement that must not take effect, with the rows that are at fault. */
export function invalidPlacement(
  problem: string,
  what: string,
  rows: readonly ShownRow[] = [],
): TenfoldError {
  const shown = rows.map((row) => Object.values(row).join(" ")).join(", ");
  return new TenfoldError(
    "TENFOLD_PARTITIONING_PLACEMENT_INVALID",
    `This placement cannot be used: ${what}${shown === "" ? "" : ` (rows: ${shown})`}.`,
    { details: { problem, rows } },
  );
}

/** The error for a key of a kind that this placement does not place. */
export function invalidKey(expected: string, key: unknown): TenfoldError {
  return new TenfoldError(
    "TENFOLD_PARTITIONING_KEY_INVALID",
    `A key must be ${expected}, got ${shownKey(key)}.`,
    { details: { key: shownKey(key) } },
  );
}

/** The error for a key that no row holds. */
export function keyOutOfRange(what: string, key: PartitionKey): TenfoldError {
  return new TenfoldError(
    "TENFOLD_PARTITIONING_KEY_OUT_OF_RANGE",
    `No shard holds the key ${shownKey(key)}: ${what}.`,
    { details: { key: shownKey(key) } },
  );
}

/** The version itself. @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID */
export function checkedVersion(version: number): number {
  if (Number.isSafeInteger(version) && version >= 1) return version;
  throw invalidPlacement("version", `version must be a whole number from 1, got ${shown(version)}`);
}

/** The names, each once, in the order of their first appearance. */
export function distinctShards(names: Iterable<string>): readonly string[] {
  return Object.freeze([...new Set(names)]);
}

/** @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID */
export function checkRowCount(what: string, count: number, max: number): void {
  if (count >= 1 && count <= max) return;
  throw invalidPlacement("count", `${what} must be 1 to ${max}, got ${shown(count)}`);
}

function shownKey(key: unknown): string {
  if (key instanceof Uint8Array) return `0x${hexOf(key.subarray(0, shownMax / 2))}`;
  const text = typeof key === "string" ? JSON.stringify(key) : String(key);
  return typeof key === "number" ? `the number ${text}` : text.slice(0, shownMax);
}
