import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";

import { root } from "../architecture/tree.ts";
import { type EngineName, type EngineRow, engineTable } from "./engine-table.ts";

export interface Engine {
  readonly name: EngineName;
  /** The first program's path. */
  readonly program: string;
  /** The folder in which all its programs are. */
  readonly folder: string;
  /** What its processes need in their environment: unpacked libraries, where there are some. */
  readonly env: Readonly<Record<string, string>>;
}

/** Where unpacked packages stand; holds nothing that cannot be fetched again. */
export const engineRoot: string = join(root, ".engines", "root");

const unpackedLibraries = join(engineRoot, "usr", "lib", "x86_64-linux-gnu");

/** Looks for an engine by explicit path, on PATH, then in `.engines/root`. */
export function findEngine(
  name: EngineName,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Engine | undefined {
  const { programs, alsoKnownAs, variable, unpackedFolder }: EngineRow = engineTable[name];
  const [main = ""] = programs;
  const explicit = environment[variable];
  if (explicit !== undefined && explicit !== "") {
    return isProgram(explicit) ? found(name, explicit, {}) : undefined;
  }
  for (const folder of (environment.PATH ?? "").split(delimiter)) {
    if (folder.startsWith(engineRoot)) continue;
    const here = programs.every((program) => isProgram(join(folder, program)));
    if (here) return found(name, join(folder, main), {});
    const other = alsoKnownAs.find((program) => isProgram(join(folder, program)));
    if (other !== undefined) return found(name, join(folder, other), {});
  }
  const unpacked = join(engineRoot, unpackedFolder);
  if (!programs.every((program) => isProgram(join(unpacked, program)))) return undefined;
  return found(name, join(unpacked, main), { LD_LIBRARY_PATH: unpackedLibraries });
}

/** The reason to give when a suite is skipped for want of an engine. */
export function whyMissing(name: EngineName): string {
  const { variable, packages }: EngineRow = engineTable[name];
  return (
    `${name} is neither at ${variable}, on PATH, nor in .engines/ ` +
    `(Debian: ${packages.join(", ")}); \`npm test\` fetches it where it can`
  );
}

/** PATH for the tests: engines given explicitly come first, unpacked ones last. */
export function engineSearchPath(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const explicit = Object.values(engineTable).flatMap(({ variable }) => {
    const program = environment[variable];
    return program ? [dirname(program)] : [];
  });
  const folders = [...explicit, environment.PATH ?? "", join(engineRoot, "usr", "bin")];
  return folders.join(delimiter);
}

function found(name: EngineName, program: string, env: Record<string, string>): Engine {
  return { name, program, folder: dirname(program), env };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
