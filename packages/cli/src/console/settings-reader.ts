import { type Coordinator, fleetKeys } from "tenfold/coordination";
import { type SettingRow, type SettingsAdmin, settingsAdmin } from "tenfold/flags";
import { errorText, type Runtime } from "tenfold/runtime";

import type { SettingChangeState, SettingState } from "./console-state.ts";

export interface SettingsReaderOptions {
  readonly coordinator: Pick<Coordinator, "get" | "list" | "transact" | "watch">;
  readonly fleet: string;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
  readonly told: (settings: readonly SettingState[]) => void;
}

/** Changes of a setting that the page shows. */
const changesShown = 10;

/** Reads all settings with their history, now and whenever one is defined or changed. */
export async function readSettings(options: SettingsReaderOptions): Promise<void> {
  const { coordinator, fleet, runtime, signal, told } = options;
  const keys = fleetKeys(fleet);
  const admin = settingsAdmin({ coordinator, fleet, runtime });
  const follow = async (prefix: string): Promise<void> => {
    for await (const _ of coordinator.watch(prefix, { signal })) {
      try {
        const rows = await admin.list({ signal });
        told(await Promise.all(rows.map((row) => settingState(admin, row, signal))));
      } catch (error) {
        runtime.log.warn("the settings could not be read", { reason: errorText(error) });
      }
    }
  };
  await Promise.all([follow(keys.settings()), follow(keys.settingDefinitions())]);
}

async function settingState(
  admin: SettingsAdmin,
  { name, definition, value, change, problem }: SettingRow,
  signal: AbortSignal,
): Promise<SettingState> {
  const changes = change === undefined ? [] : await admin.history(name, { signal });
  return {
    name,
    description: definition?.description,
    value: textOf(value),
    problem,
    changes: changes.slice(0, changesShown).map((one): SettingChangeState => {
      const { change: number, by, atMs, why } = one;
      return { number, value: textOf(one.value), by, atMs, why };
    }),
  };
}

function textOf(value: unknown): string | undefined {
  return value === undefined ? undefined : String(value);
}
