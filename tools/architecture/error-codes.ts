import { errorCodes } from "tenfold/runtime";

import { isTest } from "./source-file.ts";
import type { Tree } from "./tree.ts";

const table = "packages/tenfold/src/runtime/error-codes.ts";

/** Every code of the table is raised somewhere; what none raises any more says "Retired". */
export function idleErrorCodes(
  tree: Tree,
  codes: Readonly<Record<string, string>> = errorCodes,
): string[] {
  const raised = new Set<string>();
  for (const file of tree.sources.values()) {
    if (file.path === table || isTest(file.path)) continue;
    for (const text of file.strings) raised.add(text);
  }
  return Object.entries(codes)
    .filter(([code, advice]) => !raised.has(code) && !advice.startsWith("Retired"))
    .map(([code]) => `${code} is raised nowhere: delete it, or say "Retired in …" once released.`);
}
