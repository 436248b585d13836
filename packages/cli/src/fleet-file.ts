import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { defineFleet, type FleetDefinition, type Service } from "tenfold/fleet";
import { errorText, TenfoldError } from "tenfold/runtime";

/** A fleet file and where its modules are run from. */
export interface FleetFile {
  readonly definition: FleetDefinition;
  /** The file that was loaded: the built one, or the source itself. */
  readonly path: string;
  /** Why the sources run although there is a build, for people; undefined when all is well. */
  readonly notice: string | undefined;
}

/**
 * Loads a fleet file. When its folder has a build (`tsconfig.build.json` and an up-to-date `dist`)
 * the built JavaScript is what runs: it starts faster and needs less memory than sources.
 *
 * @throws TENFOLD_FLEET_FILE_UNREADABLE, TENFOLD_FLEET_DEFINITION_INVALID
 */
export async function loadFleetFile(file: string): Promise<FleetFile> {
  const source = resolve(file);
  if (!existsSync(source)) throw unreadable(source, "there is no such file");
  const { path, notice } = runnable(source);
  let module: { readonly default?: unknown };
  try {
    module = await import(pathToFileURL(path).href);
  } catch (error) {
    if (error instanceof TenfoldError) throw error;
    throw unreadable(source, errorText(error), error);
  }
  const found = module.default;
  if (typeof found !== "object" || found === null || !("services" in found)) {
    throw unreadable(source, "it has no default export made by defineFleet");
  }
  // Checked here too: a plain JavaScript file may export an object of its own.
  return { definition: defineFleet(found as FleetDefinition), path, notice };
}

/**
 * Imports the `service` of a module that a fleet file names, from beside the file that was loaded.
 * @throws TENFOLD_FLEET_FILE_UNREADABLE
 */
export async function importService(fleetPath: string, module: string): Promise<Service> {
  const named = join(dirname(fleetPath), module);
  const built = named.replace(/\.ts$/, ".js");
  const path = fleetPath.endsWith(".js") && existsSync(built) ? built : named;
  let service: Partial<Service> | undefined;
  try {
    ({ service } = await import(pathToFileURL(path).href));
  } catch (cause) {
    const text = cause instanceof Error ? cause.stack : String(cause);
    const message = `${path} cannot be imported: ${text}`;
    throw new TenfoldError("TENFOLD_FLEET_FILE_UNREADABLE", message, { cause });
  }
  if (typeof service?.start === "function") return service as Service;
  const message = `${path} must export \`service\`, made by defineService.`;
  throw new TenfoldError("TENFOLD_FLEET_FILE_UNREADABLE", message);
}

function runnable(source: string): { path: string; notice: string | undefined } {
  const folder = buildRoot(dirname(source));
  if (!source.endsWith(".ts") || folder === undefined) return { path: source, notice: undefined };
  const built = join(folder, "dist", relative(folder, source).replace(/\.ts$/, ".js"));
  if (!existsSync(built)) return { path: source, notice: `${folder} is not built` };
  if (newestSource(folder) > statSync(built).mtimeMs) {
    return { path: source, notice: `${folder} has changed since it was built` };
  }
  return { path: built, notice: undefined };
}

function buildRoot(folder: string): string | undefined {
  if (existsSync(join(folder, "tsconfig.build.json"))) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : buildRoot(parent);
}

const skippedFolders = ["node_modules", "dist"];

function newestSource(folder: string): number {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!skippedFolders.includes(entry.name)) newest = Math.max(newest, newestSource(path));
    } else if (entry.name.endsWith(".ts") && !entry.name.endsWith(".test.ts")) {
      newest = Math.max(newest, statSync(path).mtimeMs);
    }
  }
  return newest;
}

function unreadable(file: string, why: string, cause?: unknown): TenfoldError {
  const message = `${file} cannot be used as a fleet file: ${why}.`;
  return new TenfoldError("TENFOLD_FLEET_FILE_UNREADABLE", message, { cause });
}
