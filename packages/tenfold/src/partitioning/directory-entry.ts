import { errorText, TenfoldError } from "../runtime/errors.ts";
import { invalidPlacement } from "./placement-error.ts";

export const keyStates = ["active", "copying", "catching-up", "fenced", "forwarded"] as const;

/**
 * `active`: at rest. `copying`, `catching-up`: on the move, `shard` still serves. `fenced`: for a
 * moment nobody serves; wait for a newer epoch. `forwarded`: what a former home says of a key that
 * left; `shard` has it now.
 */
export type KeyState = (typeof keyStates)[number];

/** Where one key lives, other than the default placement says. */
export interface DirectoryEntry {
  readonly key: string;
  readonly shard: string;
  /** Grows with every change of `shard`; 0 for a key that never left its default place. */
  readonly epoch: number;
  readonly state: KeyState;
  /** Where a key that is on the move goes. */
  readonly to?: string;
}

/** What a mover does with one key. */
export type MoveStep =
  | { readonly kind: "copy"; readonly to: string }
  | { readonly kind: "catch-up" | "fence" | "commit" | "cancel" };

/** The version of the JSON form; a reader refuses every other. */
const formatVersion = 1;

const allowed: Readonly<Record<MoveStep["kind"], readonly KeyState[]>> = {
  copy: ["active"],
  "catch-up": ["copying"],
  fence: ["catching-up"],
  commit: ["fenced"],
  cancel: ["copying", "catching-up", "fenced"],
};

/** The entry after a step. @throws TENFOLD_PARTITIONING_MOVE_INVALID */
export function steppedEntry(entry: DirectoryEntry, step: MoveStep): DirectoryEntry {
  const { key, shard, epoch, state, to } = entry;
  if (!allowed[step.kind].includes(state)) {
    throw invalidMove(entry, `${step.kind} goes from ${allowed[step.kind].join(" or ")}`);
  }
  switch (step.kind) {
    case "copy":
      if (step.to === shard) throw invalidMove(entry, "it is there already");
      return Object.freeze({ key, shard, epoch, state: "copying", to: step.to });
    case "catch-up":
      return Object.freeze({ ...entry, state: "catching-up" });
    case "fence":
      return Object.freeze({ ...entry, state: "fenced" });
    case "commit":
      return Object.freeze({ key, shard: to as string, epoch: epoch + 1, state: "active" });
    case "cancel":
      return Object.freeze({ key, shard, epoch, state: "active" });
  }
}

/** The form that the coordinator keeps and that a former home answers with. */
export function encodeDirectoryEntry(entry: DirectoryEntry): string {
  return JSON.stringify({ format: formatVersion, ...entry });
}

/**
 * @throws TENFOLD_PARTITIONING_FORMAT_UNKNOWN when a newer Tenfold wrote it;
 *   TENFOLD_PARTITIONING_PLACEMENT_INVALID
 */
export function decodeDirectoryEntry(json: string): DirectoryEntry {
  let fields: { format?: unknown };
  try {
    fields = Object(JSON.parse(json)) as typeof fields;
  } catch (cause) {
    throw invalidPlacement("json", `the entry is no JSON: ${errorText(cause)}`);
  }
  if (fields.format === formatVersion) return directoryEntryOf(fields);
  throw new TenfoldError(
    "TENFOLD_PARTITIONING_FORMAT_UNKNOWN",
    `This entry has format ${JSON.stringify(fields.format)}; only ${formatVersion} is known here.`,
  );
}

/** An entry out of JSON's fields. @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID */
export function directoryEntryOf(fields: unknown): DirectoryEntry {
  const { key, shard, epoch, state, to } = Object(fields) as Partial<DirectoryEntry>;
  const row = {
    key: String(key),
    shard: String(shard),
    epoch: String(epoch),
    state: String(state),
  };
  const named = typeof key === "string" && typeof shard === "string" && shard !== "";
  if (!named || !Number.isSafeInteger(epoch) || (epoch as number) < 0) {
    throw invalidPlacement("entry", "an entry needs key, shard and an epoch from 0", [row]);
  }
  if (!keyStates.includes(state as KeyState)) {
    throw invalidPlacement("state", `a state is one of ${keyStates.join(", ")}`, [row]);
  }
  const moving = state === "copying" || state === "catching-up" || state === "fenced";
  if (moving !== (typeof to === "string" && to !== "" && to !== shard)) {
    const what = "`to` names another shard while the key is on the move, and only then";
    throw invalidPlacement("to", what, [{ ...row, to: String(to) }]);
  }
  const entry = { key, shard, epoch: epoch as number, state: state as KeyState };
  return Object.freeze(moving ? { ...entry, to: to as string } : entry);
}

function invalidMove(entry: DirectoryEntry, what: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_PARTITIONING_MOVE_INVALID",
    `The key "${entry.key}" is ${entry.state} on ${entry.shard}: ${what}.`,
    { details: { ...entry } },
  );
}
