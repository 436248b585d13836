import { hostname, userInfo } from "node:os";
import {
  type SettingChange,
  type SettingRow,
  type SettingsAdmin,
  type SettingValue,
  settingsAdmin,
} from "tenfold/flags";
import { numberOption, TenfoldError } from "tenfold/runtime";

import { type CoordinatorOptions, knownFleet, useCoordinator } from "../coordinator-access.ts";
import { print, textTable } from "../print.ts";

/** Options of the commands that change a setting. */
export interface ChangeOptions extends CoordinatorOptions {
  readonly by?: string;
  readonly why?: string;
  readonly ifChange?: string;
}

/** `tenfold settings list`: what there is, what it is set to, and by whom. */
export async function list(options: CoordinatorOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    const rows = await admin.list();
    print(options, rows, () => listText(rows));
  });
}

/** `tenfold settings get NAME`: the value alone, for scripts. */
export async function get(name: string, options: CoordinatorOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    const row = await admin.get(name);
    print(options, row, () => String(row.value ?? ""));
  });
}

/** `tenfold settings set NAME VALUE`: the value in the form that the setting's kind has. */
export async function set(name: string, text: string, options: ChangeOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    const { definition } = await admin.get(name);
    const value = typedValue(text, definition?.kind);
    told(options, name, await admin.set({ name, value, ...requestOf(options) }));
  });
}

/** `tenfold settings reset NAME`: the default again. */
export async function reset(name: string, options: ChangeOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    told(options, name, await admin.set({ name, ...requestOf(options) }));
  });
}

/** `tenfold settings undo NAME`: what stood before the last change. */
export async function undo(name: string, options: ChangeOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    const request = requestOf(options);
    // Of the change that stands now: one that comes in between is somebody else's to judge.
    const { change } = await admin.get(name);
    const ifChange = request.ifChange ?? change?.change ?? 0;
    told(options, name, await admin.undo({ name, ...request, ifChange }));
  });
}

/** `tenfold settings history NAME`: its last changes, newest first. */
export async function history(name: string, options: CoordinatorOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    const changes = await admin.history(name);
    print(options, changes, () => historyText(changes));
  });
}

async function withAdmin(
  options: CoordinatorOptions,
  work: (admin: SettingsAdmin) => Promise<void>,
): Promise<void> {
  await useCoordinator(options, async (open) => {
    await work(settingsAdmin({ coordinator: open.coordinator, fleet: knownFleet(open) }));
  });
}

function requestOf({ by, why, ifChange }: ChangeOptions) {
  const number = (text: string): number =>
    numberOption("--if-change", Number(text), { min: 0, max: Number.MAX_SAFE_INTEGER });
  return {
    by: by ?? `${userInfo().username}@${hostname()}`.slice(0, 100),
    ...(why !== undefined && { why }),
    ...(ifChange !== undefined && { ifChange: number(ifChange) }),
  };
}

/** What a person typed, as the setting's kind wants it; the range is for the library to check. */
function typedValue(text: string, kind: string | undefined): SettingValue {
  if (kind === "boolean") {
    if (text === "true" || text === "on") return true;
    if (text === "false" || text === "off") return false;
  }
  if (kind === "number" && text.trim() !== "" && !Number.isNaN(Number(text))) return Number(text);
  if (kind !== "boolean" && kind !== "number") return text;
  throw new TenfoldError(
    "TENFOLD_FLAGS_VALUE_INVALID",
    `The value must be ${kind === "number" ? "a number" : "true or false"}, got "${text}".`,
  );
}

function told(options: ChangeOptions, name: string, change: SettingChange): void {
  const to = change.value === undefined ? "the default" : JSON.stringify(change.value);
  print(options, { name, ...change }, () => `${name} is ${to} (change ${change.change}).`);
}

function listText(rows: readonly SettingRow[]): string {
  if (rows.length === 0) return "No process of the fleet has told of a setting.";
  const cells = rows.map(({ name, value, definition, change, problem }) => [
    name,
    JSON.stringify(value) ?? "",
    JSON.stringify(definition?.default) ?? "",
    change === undefined ? "" : `${when(change)} by ${change.by}`,
    problem === undefined ? (definition?.description ?? "") : `NOT HEEDED: ${problem}`,
  ]);
  return textTable(["setting", "value", "default", "changed", ""], cells).join("\n");
}

function historyText(changes: readonly SettingChange[]): string {
  const cells = changes.map((change) => [
    String(change.change),
    when(change),
    change.value === undefined ? "(default)" : JSON.stringify(change.value),
    change.by,
    change.why,
  ]);
  return textTable(["change", "time", "value", "by", "why"], cells).join("\n");
}

function when({ atMs }: SettingChange): string {
  return new Date(atMs).toISOString().slice(0, 19).replace("T", " ");
}
