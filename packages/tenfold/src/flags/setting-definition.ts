import { TenfoldError } from "../runtime/errors.ts";

export type SettingValue = boolean | number | string;

interface Described {
  /** What changes when it is changed, for whoever changes it; 1 to 300 characters. */
  readonly description: string;
}

export interface BooleanSetting extends Described {
  readonly kind: "boolean";
  readonly default: boolean;
}

/** Its name ends in the unit, as every number's: `previewDeadlineMs`. */
export interface NumberSetting extends Described {
  readonly kind: "number";
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** Only whole numbers? Default true. */
  readonly whole?: boolean;
}

export interface ChoiceSetting extends Described {
  readonly kind: "choice";
  readonly default: string;
  readonly choices: readonly string[];
}

export interface TextSetting extends Described {
  readonly kind: "text";
  readonly default: string;
  /** 1 … 1,000. */
  readonly charactersMax: number;
}

/** A value that may change while processes run: what it may be, and what it is unless set. */
export type SettingDefinition = BooleanSetting | NumberSetting | ChoiceSetting | TextSetting;

/** By name, such as `posts.pageMax`: words with dots between them. */
export type SettingDefinitions = Readonly<Record<string, SettingDefinition>>;

export type SettingValueOf<Definition extends SettingDefinition> = Definition extends {
  readonly kind: "boolean";
}
  ? boolean
  : Definition extends { readonly kind: "number" }
    ? number
    : Definition extends { readonly kind: "choice"; readonly choices: readonly (infer Choice)[] }
      ? Choice
      : string;

/** The values of all, by name. */
export type SettingValues<Definitions extends SettingDefinitions> = {
  readonly [Name in keyof Definitions]: SettingValueOf<Definitions[Name]>;
};

export const settingLimits: {
  readonly definitionsMax: number;
  readonly nameCharactersMax: number;
  readonly textCharactersMax: number;
  readonly historyMax: number;
} = Object.freeze({
  /** Of one process: they are published in one transaction, and etcd takes 128 changes in one. */
  definitionsMax: 100,
  nameCharactersMax: 100,
  textCharactersMax: 1_000,
  /** Changes of one setting that are remembered: the entry stays far below what a server takes. */
  historyMax: 50,
});

const namePattern = /^[a-z][a-zA-Z0-9]*(\.[a-z][a-zA-Z0-9]*)*$/;

/**
 * Declares settings; the types of their values follow.
 * @throws TENFOLD_FLAGS_DEFINITION_INVALID
 */
export function defineSettings<const Definitions extends SettingDefinitions>(
  definitions: Definitions,
): Definitions {
  const names = Object.keys(definitions);
  const { definitionsMax } = settingLimits;
  if (names.length > definitionsMax) {
    throw invalidDefinition("(all)", `there may be ${definitionsMax}, not ${names.length}`);
  }
  for (const [name, definition] of Object.entries(definitions)) checkDefinition(name, definition);
  return Object.freeze(definitions);
}

/** @throws TENFOLD_FLAGS_DEFINITION_INVALID */
export function checkDefinition(name: string, definition: SettingDefinition): void {
  const { nameCharactersMax, textCharactersMax } = settingLimits;
  if (!namePattern.test(name) || name.length > nameCharactersMax) {
    throw invalidDefinition(name, `a name is words with dots between, to ${nameCharactersMax}`);
  }
  const { description } = definition;
  if (typeof description !== "string" || description === "" || description.length > 300) {
    throw invalidDefinition(name, "description must have 1 to 300 characters");
  }
  if (definition.kind === "number") {
    const { min, max } = definition;
    const areNumbers = typeof min === "number" && typeof max === "number";
    if (!areNumbers) throw invalidDefinition(name, "min and max must be numbers");
  }
  if (definition.kind === "choice" && !areChoices(definition.choices)) {
    throw invalidDefinition(name, "choices must be 1 to 50 different texts");
  }
  if (definition.kind === "text") {
    const { charactersMax: max } = definition;
    const fits = Number.isInteger(max) && max >= 1 && max <= textCharactersMax;
    if (!fits) throw invalidDefinition(name, `charactersMax must be 1 to ${textCharactersMax}`);
  }
  const problem = valueProblem(definition, definition.default);
  if (problem !== undefined) throw invalidDefinition(name, `default must be ${problem}`);
}

function areChoices(choices: unknown): boolean {
  return (
    Array.isArray(choices) &&
    choices.length >= 1 &&
    choices.length <= 50 &&
    new Set(choices).size === choices.length &&
    choices.every((one) => typeof one === "string" && one !== "" && one.length <= 100)
  );
}

/** What the value would have to be, or undefined when it is that. */
export function valueProblem(definition: SettingDefinition, value: unknown): string | undefined {
  switch (definition.kind) {
    case "boolean":
      return typeof value === "boolean" ? undefined : "true or false";
    case "number": {
      const { min, max, whole = true } = definition;
      const fits = typeof value === "number" && value >= min && value <= max;
      if (fits && (!whole || Number.isInteger(value))) return undefined;
      return `${whole ? "a whole number" : "a number"} from ${min} to ${max}`;
    }
    case "choice": {
      const { choices } = definition;
      const fits = typeof value === "string" && choices.includes(value);
      return fits ? undefined : `one of ${choices.join(", ")}`;
    }
    case "text": {
      const { charactersMax: max } = definition;
      const fits = typeof value === "string" && value.length <= max && value.isWellFormed();
      return fits ? undefined : `a text of up to ${max} characters`;
    }
  }
}

function invalidDefinition(name: string, why: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLAGS_DEFINITION_INVALID",
    `The setting ${JSON.stringify(name.slice(0, 120))} is not well defined: ${why}.`,
    { details: { name } },
  );
}
