import { existsSync } from "node:fs";
import { join } from "node:path";

import { findEngine } from "../../../tools/engines/index.ts";

/** libfaketime's library, preloaded into a process to move its clock; undefined when it is not here. */
export function fakeClockLibrary(): string | undefined {
  const engine = findEngine("faketime");
  if (engine === undefined) return undefined;
  const library = join(engine.folder, "../lib/x86_64-linux-gnu/faketime/libfaketime.so.1");
  return existsSync(library) ? library : undefined;
}
