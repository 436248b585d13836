import { existsSync } from "node:fs";
import { join } from "node:path";

import { findEngine } from "../../../tools/engines/index.ts";

/** libfaketime, to be preloaded into a process whose clock is to move; undefined when missing. */
export function fakeClockLibrary(): string | undefined {
  const engine = findEngine("faketime");
  if (engine === undefined) return undefined;
  const library = join(engine.folder, "../lib/x86_64-linux-gnu/faketime/libfaketime.so.1");
  return existsSync(library) ? library : undefined;
}
