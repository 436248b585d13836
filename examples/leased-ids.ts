// A worker number that no other process has, without a coordinator: on record in a folder.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLeasedIds, fileWorkerRecords, formatShortId, snowflake } from "tenfold/identifiers";
import { fileStorage } from "tenfold/runtime";

const folder = mkdtempSync(join(tmpdir(), "leased-ids-"));
const start = (owner: string) =>
  createLeasedIds({
    records: fileWorkerRecords(fileStorage(folder)),
    generator: (lease) => snowflake(lease),
    owner,
    workers: 1_024,
  });

// As if two processes of this machine.
await using first = start("first");
await using second = start("second");
for (const ids of [first, second]) {
  while (ids.status().worker === undefined) await new Promise((done) => setTimeout(done, 10));
  const id = ids.use((snowflakes, wallMs, beforeMs) => snowflakes.next(wallMs, beforeMs));
  console.log(`worker ${ids.status().worker}: ${formatShortId(id)}`);
}
const { windowLeftMs } = first.status();
console.log(`time is reserved ahead: ${windowLeftMs > 0}`);
await Promise.all([first.close(), second.close()]);
rmSync(folder, { recursive: true });

// Prints:
// worker …: 1…
// worker …: 1…
// time is reserved ahead: true
