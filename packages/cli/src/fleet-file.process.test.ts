import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { importService, loadFleetFile } from "./fleet-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-fleet-file-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

const service = `export const service = { name: "a", start() { return {}; } };`;

test("a plain JavaScript file is taken, and its services may be TypeScript", async () => {
  const path = await file(
    "fleet.js",
    `export default { name: "shop", services: { a: { module: "./a.ts" } } };`,
  );
  await file("a.ts", `${service}\nexport type Unused = string;`);
  expect((await loadFleetFile(path)).definition.name).toBe("shop");
  expect(await importService(path, "./a.ts")).toMatchObject({ name: "a" });
});

test("beside a built fleet file its built services are taken", async () => {
  const path = await file("fleet.js", "export default {};");
  await file("a.ts", "this is the source, which must not run");
  await file("a.js", service);
  expect(await importService(path, "./a.ts")).toMatchObject({ name: "a" });
});

test.each([
  ["throws", `throw new Error("my mistake");`, /my mistake/],
  ["is broken", "export default {", /fleet file/],
  ["exports nothing", "export const fleet = {};", /no default export/],
  ["exports a text", `export default "fleet";`, /no default export/],
])("a file that %s is refused in words", async (_, text, words) => {
  const loading = loadFleetFile(await file("fleet.mjs", text));
  await expect(loading).rejects.toThrow(words);
  await expect(loading).rejects.toMatchObject({ code: "TENFOLD_FLEET_FILE_UNREADABLE" });
});

test("an object that defineFleet would refuse is refused here as well", async () => {
  const path = await file("fleet.js", `export default { services: { a: { module: "./a.ts" } } };`);
  await expect(loadFleetFile(path)).rejects.toMatchObject({
    code: "TENFOLD_FLEET_DEFINITION_INVALID",
  });
});

test.each([
  ["is missing", undefined],
  ["throws", `throw new Error("no such luck");`],
  ["exports something else", "export const server = {};"],
  ["exports no service", `export const service = "a";`],
])("a service module that %s is refused with its name", async (_, text) => {
  if (text !== undefined) await file("a.js", text);
  await expect(importService(join(folder, "fleet.js"), "./a.js")).rejects.toMatchObject({
    code: "TENFOLD_FLEET_FILE_UNREADABLE",
    message: expect.stringContaining("a.js"),
  });
});
