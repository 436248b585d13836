import { invalidOption, refuseUnknownKeys } from "tenfold/runtime";

import type { Wiring } from "./fleet-view.ts";

/** The console's `settings`. */
export interface ConsoleSettings {
  /** Base URL of the supervisor's admin API; without it nothing can be killed or restarted. */
  readonly supervisor: string | undefined;
  /** Who calls whom by the fleet file: service to services, queue owners and `store/NAME`. */
  readonly uses: Wiring;
}

/** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
export function readConsoleSettings(settings: Readonly<Record<string, unknown>>): ConsoleSettings {
  refuseUnknownKeys("the console's settings", settings, ["supervisor", "uses"]);
  const { supervisor, uses = {} } = settings;
  if (supervisor !== undefined && (typeof supervisor !== "string" || !URL.canParse(supervisor))) {
    throw invalidOption("supervisor", "the URL of the supervisor's admin API", supervisor);
  }
  if (!isWiring(uses)) {
    throw invalidOption("uses", "an object of lists of names", JSON.stringify(uses));
  }
  return { supervisor: supervisor?.replace(/\/$/, ""), uses };
}

function isWiring(value: unknown): value is Wiring {
  const isList = (list: unknown) =>
    Array.isArray(list) && list.every((name) => typeof name === "string");
  return typeof value === "object" && value !== null && Object.values(value).every(isList);
}
