// A setting that changes while the process runs; what is wrong is refused, and undo is one call.
import { createMemoryCoordinator } from "tenfold/engines/memory";
import { createSettings, defineSettings, settingsAdmin } from "tenfold/flags";

const definitions = defineSettings({
  "posts.pageMax": { kind: "number", default: 100, min: 1, max: 100, description: "Posts a page" },
});
const coordinator = createMemoryCoordinator();
await using settings = createSettings({ coordinator, fleet: "blog", definitions });
await settings.settled;

// Somewhere else, with the same coordinator: the program's `tenfold settings set` does this.
const admin = settingsAdmin({ coordinator, fleet: "blog" });
while ((await admin.list()).length === 0) await new Promise((done) => setTimeout(done, 10));
const request = { name: "posts.pageMax", by: "ada", why: "the database is slow" };

let reads = 0;
for await (const values of settings.watch()) {
  console.log(`a page has up to ${values["posts.pageMax"]} posts`);
  reads += 1;
  if (reads === 1) await admin.set({ ...request, value: 20 });
  if (reads === 2) await admin.undo({ name: "posts.pageMax", by: "bob" });
  if (reads === 3) break;
}
await admin.set({ ...request, value: 0 }).catch((error) => console.log(error.message));
for (const { change, by, why } of await admin.history("posts.pageMax")) {
  console.log(`${change} by ${by}: ${why}`);
}

// Prints:
// a page has up to 100 posts
// a page has up to 20 posts
// a page has up to 100 posts
// posts.pageMax must be a whole number from 1 to 100, got 0. Nothing was changed.
// 2 by bob: undo of change 1
// 1 by ada: the database is slow
