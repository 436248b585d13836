// A queue in one file. What `enqueue` has accepted is on disk; each job is done at least once.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSqliteQueue } from "tenfold/engines/sqlite";
import { createWorker } from "tenfold/queueing";

const folder = mkdtempSync(join(tmpdir(), "queue-"));
const queue = await createSqliteQueue({ file: join(folder, "mail.db") });
const mail = { key: "ada@example.org", body: '{"text":"hello"}', sort: "1", idempotencyKey: "m-1" };

console.log((await queue.enqueue(mail)).status);
console.log((await queue.enqueue(mail)).status);

let tries = 0;
const worker = createWorker({
  queue,
  retry: { baseMs: 10 },
  async handle(jobs) {
    tries += 1;
    if (tries === 1) throw new Error("the mail server is away");
    for (const job of jobs) console.log(`sent to ${job.key} at attempt ${job.attempt}`);
  },
});
while ((await queue.stats()).done < 1) await new Promise((resolve) => setTimeout(resolve, 20));

await worker.close();
await queue.close();
rmSync(folder, { recursive: true });

// Prints:
// accepted
// duplicate
// sent to ada@example.org at attempt …
