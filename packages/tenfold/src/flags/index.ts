export {
  type BooleanSetting,
  type ChoiceSetting,
  defineSettings,
  type NumberSetting,
  type SettingDefinition,
  type SettingDefinitions,
  type SettingValue,
  type SettingValueOf,
  type SettingValues,
  settingLimits,
  type TextSetting,
} from "./setting-definition.ts";
export type { SettingChange } from "./setting-json.ts";
export {
  createSettings,
  type Settings,
  type SettingsOptions,
  settingsDefaults,
} from "./settings.ts";
export {
  type SettingRequest,
  type SettingRow,
  type SettingsAdmin,
  type SettingsAdminOptions,
  settingsAdmin,
} from "./settings-admin.ts";
export type { SettingState } from "./settings-state.ts";
