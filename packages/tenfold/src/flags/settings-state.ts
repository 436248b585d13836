import { errorText } from "../runtime/errors.ts";
import {
  type SettingDefinitions,
  type SettingValue,
  type SettingValues,
  valueProblem,
} from "./setting-definition.ts";
import { parseChange, type SettingChange } from "./setting-json.ts";

/** Why a setting has the value that it has in this process. */
export interface SettingState {
  readonly value: SettingValue;
  /** The change that made it so; undefined for the default. */
  readonly change: SettingChange | undefined;
  /** Why what is set now is not heeded; the last good value is kept. */
  readonly problem: string | undefined;
}

/** The settings of one process, from the entries that the coordinator has. */
export interface SettingsState<Definitions extends SettingDefinitions> {
  /** Replaced when a value changes, never changed itself. */
  readonly current: SettingValues<Definitions>;
  /** @throws RangeError for a name that is not defined */
  explain(name: keyof Definitions & string): SettingState;
  /**
   * Takes the whole map as it is now. Entries that nobody here defines are passed over.
   * @returns names whose entry became unusable, and why
   */
  take(entries: ReadonlyMap<string, string>): ReadonlyMap<string, string>;
}

export function settingsState<Definitions extends SettingDefinitions>(
  definitions: Definitions,
): SettingsState<Definitions> {
  const states = new Map<string, SettingState>();
  /** What each state was read from; only what changed is read again. */
  const texts = new Map<string, string>();
  for (const [name, { default: value }] of Object.entries(definitions)) {
    states.set(name, { value, change: undefined, problem: undefined });
  }
  const values = (): SettingValues<Definitions> => {
    const pairs = [...states].map(([name, { value }]) => [name, value]);
    return Object.freeze(Object.fromEntries(pairs));
  };
  let current = values();
  return {
    get current() {
      return current;
    },
    explain(name) {
      const state = states.get(name);
      if (state === undefined) throw new RangeError(`There is no setting ${name} here.`);
      return state;
    },
    take(entries) {
      const problems = new Map<string, string>();
      let isSame = true;
      for (const [name, before] of states) {
        const text = entries.get(name);
        if (text === texts.get(name)) continue;
        if (text === undefined) texts.delete(name);
        else texts.set(name, text);
        const state = stateOf(definitions, name, text, before);
        const { problem, value } = state;
        if (problem !== undefined && problem !== before.problem) problems.set(name, problem);
        if (value !== before.value) isSame = false;
        states.set(name, state);
      }
      if (!isSame) current = values();
      return problems;
    },
  };
}

function stateOf(
  definitions: SettingDefinitions,
  name: string,
  entry: string | undefined,
  before: SettingState,
): SettingState {
  const definition = definitions[name] as SettingDefinitions[string];
  const byDefault = { value: definition.default, change: undefined, problem: undefined };
  if (entry === undefined) return byDefault;
  try {
    const change = parseChange(entry);
    const { value } = change;
    if (value === undefined) return { ...byDefault, change };
    const wanted = valueProblem(definition, value);
    if (wanted === undefined) return { value, change, problem: undefined };
    return { ...before, problem: `${JSON.stringify(value)} is set, and it must be ${wanted}` };
  } catch (error) {
    return { ...before, problem: errorText(error) };
  }
}
