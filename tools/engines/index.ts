export { type EngineName, type EngineRow, engineTable } from "./engine-table.ts";
export { fetchEngines } from "./fetch-engines.ts";
export { type Engine, engineSearchPath, findEngine, whyMissing } from "./find-engine.ts";
