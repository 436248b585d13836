import type { CallOptions, Coordinator, Entry } from "../coordination/coordinator.ts";
import { fleetKeys } from "../coordination/keys.ts";
import { errorText, TenfoldError } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import {
  type SettingDefinition,
  type SettingValue,
  settingLimits,
  valueProblem,
} from "./setting-definition.ts";
import {
  formatChange,
  formatHistory,
  parseChange,
  parseDefinition,
  parseHistory,
  type SettingChange,
} from "./setting-json.ts";

export interface SettingsAdminOptions {
  readonly coordinator: Pick<Coordinator, "get" | "list" | "transact">;
  readonly fleet: string;
  readonly runtime?: Partial<Runtime>;
}

/** One setting as a person sees it. */
export interface SettingRow {
  readonly name: string;
  /** Undefined when something is set that no program defines, or none that can be read. */
  readonly definition: SettingDefinition | undefined;
  /** What is set, or the default; undefined when that cannot be told. */
  readonly value: SettingValue | undefined;
  /** The change that made it so; undefined when it was never changed. */
  readonly change: SettingChange | undefined;
  /** Why processes do not heed what is set. */
  readonly problem: string | undefined;
}

export interface SettingRequest {
  readonly name: string;
  /** Left out: back to the default. */
  readonly value?: SettingValue | undefined;
  /** Who changes it: 1 to 100 characters. */
  readonly by: string;
  /** Up to 200 characters. */
  readonly why?: string | undefined;
  /** Only when this is still the last change (0: none yet); else whatever it is by then. */
  readonly ifChange?: number | undefined;
}

/** Changes settings and tells of them. Every change is a compare-and-set and is remembered. */
export interface SettingsAdmin {
  /** All that are defined or set, by name. */
  list(options?: CallOptions): Promise<readonly SettingRow[]>;
  /** @throws TENFOLD_FLAGS_SETTING_UNKNOWN */
  get(name: string, options?: CallOptions): Promise<SettingRow>;
  /**
   * @throws TENFOLD_FLAGS_SETTING_UNKNOWN, TENFOLD_FLAGS_VALUE_INVALID,
   *   TENFOLD_FLAGS_CHANGED_MEANWHILE, and what the coordinator throws
   */
  set(request: SettingRequest, options?: CallOptions): Promise<SettingChange>;
  /**
   * Sets again what stood before the last change, as a change of its own; so a second undo brings
   * back what the first took away.
   * @throws TENFOLD_FLAGS_NOTHING_TO_UNDO, and what `set` throws
   */
  undo(request: Omit<SettingRequest, "value">, options?: CallOptions): Promise<SettingChange>;
  /** The last changes, newest first: up to `settingLimits.historyMax`. */
  history(name: string, options?: CallOptions): Promise<readonly SettingChange[]>;
}

export function settingsAdmin(options: SettingsAdminOptions): SettingsAdmin {
  const { coordinator } = options;
  const { clock, random } = runtimeWith(options.runtime);
  const keys = fleetKeys(options.fleet);
  const historyKey = (name: string): string => `${keys.settingHistory()}${name}`;
  const valueKey = (name: string): string => `${keys.settings()}${name}`;

  const list = async (call?: CallOptions): Promise<readonly SettingRow[]> => {
    const [defined, set] = await Promise.all([
      coordinator.list(keys.settingDefinitions(), call),
      coordinator.list(keys.settings(), call),
    ]);
    const definitions = byName(defined.entries, keys.settingDefinitions());
    const values = byName(set.entries, keys.settings());
    const names = [...new Set([...definitions.keys(), ...values.keys()])].sort();
    return names.map((name) => rowOf(name, definitions.get(name), values.get(name)));
  };
  const known = async (name: string, call?: CallOptions): Promise<SettingRow> => {
    const rows = await list(call);
    const row = rows.find((one) => one.name === name);
    if (row !== undefined) return row;
    throw unknownSetting(name, rows);
  };
  const defined = async (name: string, call?: CallOptions): Promise<SettingDefinition> => {
    const entry = await coordinator.get(`${keys.settingDefinitions()}${name}`, call);
    if (entry === undefined) throw unknownSetting(name, await list(call));
    return parseDefinition(entry.value, name);
  };
  const recorded = async (name: string, call?: CallOptions) => {
    const entry = await coordinator.get(historyKey(name), call);
    return { entry, changes: entry === undefined ? [] : parseHistory(entry.value) };
  };
  /** Makes the change that `next` says of the history; again when another came in between. */
  const write = async (
    { name, by, why, ifChange }: SettingRequest,
    next: (changes: readonly SettingChange[]) => { value: SettingValue | undefined; why: string },
    call?: CallOptions,
  ): Promise<SettingChange> => {
    checkText("by", by, 1, 100);
    checkText("why", why ?? "", 0, 200);
    const [definition, first] = await Promise.all([defined(name, call), recorded(name, call)]);
    const id = random.below(2 ** 32).toString(36) + random.below(2 ** 32).toString(36);
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const { entry, changes } = attempt === 0 ? first : await recorded(name, call);
      // The answer to the attempt before was lost, or came too late.
      const ours = changes.find((one) => one.id === id);
      if (ours !== undefined) return ours;
      const last = changes[0]?.change ?? 0;
      if (ifChange !== undefined && ifChange !== last) throw changedMeanwhile(name, changes);
      const { value, why: reason } = next(changes);
      if (value !== undefined) refuseInvalid(name, definition, value);
      const change: SettingChange = {
        ...{ change: last + 1, id, by, atMs: clock.wallNow(), why: reason },
        ...(value !== undefined && { value }),
      };
      const kept = formatHistory([change, ...changes].slice(0, settingLimits.historyMax));
      const when = [unchanged(historyKey(name), entry)];
      const present = { put: valueKey(name), value: formatChange(change) };
      const result = await coordinator.transact(
        { when, change: [present, { put: historyKey(name), value: kept }] },
        call,
      );
      if (result.outcome === "applied") return change;
    }
    throw changedMeanwhile(name, (await recorded(name, call)).changes);
  };

  return {
    list,
    get: known,
    set: (request, call) =>
      write(request, () => ({ value: request.value, why: request.why ?? "" }), call),
    undo: (request, call) =>
      write(
        request,
        ([last, before]) => {
          if (last === undefined) throw nothingToUndo(request.name);
          return { value: before?.value, why: request.why ?? `undo of change ${last.change}` };
        },
        call,
      ),
    async history(name, call) {
      const { changes } = await recorded(name, call);
      if (changes.length === 0) await known(name, call);
      return changes;
    },
  };
}

/** More writers than this at one setting at one time are a mistake of theirs. */
const attemptsMax = 20;

function byName(entries: readonly Entry[], prefix: string): ReadonlyMap<string, string> {
  return new Map(entries.map(({ key, value }) => [key.slice(prefix.length), value]));
}

function unchanged(key: string, entry: Entry | undefined) {
  return entry === undefined ? { key, is: "absent" as const } : { key, revision: entry.revision };
}

function rowOf(name: string, defined: string | undefined, set: string | undefined): SettingRow {
  let definition: SettingDefinition | undefined;
  try {
    definition = defined === undefined ? undefined : parseDefinition(defined, name);
    const change = set === undefined ? undefined : parseChange(set);
    const value = change?.value ?? definition?.default;
    return { name, definition, value, change, problem: problemOf(definition, value) };
  } catch (error) {
    const problem = errorText(error);
    return { name, definition, value: undefined, change: undefined, problem };
  }
}

function problemOf(definition: SettingDefinition | undefined, value: unknown): string | undefined {
  if (definition === undefined) return "no program of the fleet defines it";
  const wanted = valueProblem(definition, value);
  return wanted && `it must be ${wanted}`;
}

function refuseInvalid(name: string, definition: SettingDefinition, value: SettingValue): void {
  const wanted = valueProblem(definition, value);
  if (wanted === undefined) return;
  const came = JSON.stringify(value).slice(0, 100);
  throw new TenfoldError(
    "TENFOLD_FLAGS_VALUE_INVALID",
    `${name} must be ${wanted}, got ${came}. Nothing was changed.`,
    { details: { name } },
  );
}

function checkText(option: string, text: unknown, min: number, max: number): void {
  const fits = typeof text === "string" && text.length >= min && text.length <= max;
  if (fits && text.isWellFormed()) return;
  throw new TenfoldError(
    "TENFOLD_OPTION_INVALID",
    `${option} must be a text of ${min} to ${max} characters.`,
    { details: { option } },
  );
}

function unknownSetting(name: string, rows: readonly SettingRow[]): TenfoldError {
  const names = rows.filter(({ definition }) => definition !== undefined).map((row) => row.name);
  return new TenfoldError(
    "TENFOLD_FLAGS_SETTING_UNKNOWN",
    `There is no setting ${JSON.stringify(name.slice(0, 120))}; there are: ` +
      `${names.join(", ") || "none, since no process has told of any"}.`,
    { details: { name } },
  );
}

function changedMeanwhile(name: string, [last]: readonly SettingChange[]): TenfoldError {
  const found =
    last === undefined ? "was never changed" : `is at change ${last.change} by ${last.by}`;
  return new TenfoldError(
    "TENFOLD_FLAGS_CHANGED_MEANWHILE",
    `${name} ${found}: it is not what the caller has seen. Nothing was changed.`,
    { retryable: true, details: { name, change: last?.change ?? 0 } },
  );
}

function nothingToUndo(name: string): TenfoldError {
  return new TenfoldError("TENFOLD_FLAGS_NOTHING_TO_UNDO", `${name} was never changed.`);
}
