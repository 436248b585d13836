import { TenfoldError } from "../runtime/errors.ts";
import {
  checkDefinition,
  type SettingDefinition,
  type SettingValue,
} from "./setting-definition.ts";

/** One change of one setting. */
export interface SettingChange {
  /** 1 for the first of a setting, then one more each. */
  readonly change: number;
  /** Tells this change from another of the same number whose answer was lost. */
  readonly id: string;
  /** What was set; absent: back to the default. */
  readonly value?: SettingValue;
  readonly by: string;
  /** Wall-clock milliseconds at the process that made it. */
  readonly atMs: number;
  /** May be empty. */
  readonly why: string;
}

/** The version of the JSON forms; a reader refuses every other. */
const formatVersion = 1;

export function formatChange(change: SettingChange): string {
  return JSON.stringify({ format: formatVersion, ...change });
}

/** @throws TENFOLD_FLAGS_ENTRY_INVALID, TENFOLD_FLAGS_FORMAT_UNKNOWN */
export function parseChange(json: string): SettingChange {
  return changeOf(parsed(json));
}

/** @param changes the newest first */
export function formatHistory(changes: readonly SettingChange[]): string {
  return JSON.stringify({ format: formatVersion, changes });
}

/** @throws TENFOLD_FLAGS_ENTRY_INVALID, TENFOLD_FLAGS_FORMAT_UNKNOWN */
export function parseHistory(json: string): readonly SettingChange[] {
  const { changes } = parsed(json);
  if (!Array.isArray(changes)) throw invalidEntry("changes must be a list");
  return changes.map((one) => changeOf(Object(one) as Fields));
}

export function formatDefinition(definition: SettingDefinition): string {
  return JSON.stringify({ format: formatVersion, ...definition });
}

/**
 * @throws TENFOLD_FLAGS_ENTRY_INVALID, TENFOLD_FLAGS_FORMAT_UNKNOWN,
 *   TENFOLD_FLAGS_DEFINITION_INVALID
 */
export function parseDefinition(json: string, name: string): SettingDefinition {
  const { format: _, ...fields } = parsed(json);
  if (!["boolean", "number", "choice", "text"].includes(fields.kind as string)) {
    throw invalidEntry("kind must be boolean, number, choice or text");
  }
  const definition = fields as unknown as SettingDefinition;
  checkDefinition(name, definition);
  return definition;
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(json: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw invalidEntry("it is no JSON");
  }
  const fields = Object(value) as Fields;
  if (fields.format === formatVersion) return fields;
  throw new TenfoldError(
    "TENFOLD_FLAGS_FORMAT_UNKNOWN",
    `The entry has format ${JSON.stringify(fields.format)}; only ${formatVersion} is ` +
      "known here.",
  );
}

function changeOf({ change, id, value, by, atMs, why }: Fields): SettingChange {
  if (!Number.isSafeInteger(change)) throw invalidEntry("change must be a whole number");
  if (!Number.isSafeInteger(atMs)) throw invalidEntry("atMs must be a whole number");
  if (typeof id !== "string" || typeof by !== "string" || typeof why !== "string") {
    throw invalidEntry("id, by and why must be texts");
  }
  const isValue = ["boolean", "number", "string", "undefined"].includes(typeof value);
  if (!isValue) throw invalidEntry("value must be a boolean, a number or a text");
  const known = { change: change as number, id, by, atMs: atMs as number, why };
  return value === undefined ? known : { ...known, value: value as SettingValue };
}

function invalidEntry(why: string): TenfoldError {
  return new TenfoldError("TENFOLD_FLAGS_ENTRY_INVALID", `The entry cannot be read: ${why}.`);
}
