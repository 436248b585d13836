import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";

import { startNode } from "../../testing/server-process.fixture.ts";
import { openJournal } from "./journal.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tenfold-journal-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const coded = (code: string) => expect.objectContaining({ code });

test("what was committed is there after a new start, in a later generation", () => {
  const first = openJournal(folder, 42n);
  const now = {
    key: Uint8Array.of(0, 255),
    value: Uint8Array.of(1),
    createRevision: 2n,
    modRevision: 2n,
    version: 1n,
    lease: 2n ** 62n,
  };
  const events = [{ key: "\0\xff", now, before: undefined }];
  first.commit({
    revised: [{ revision: 2n, events }],
    granted: [{ id: 2n ** 62n, ttlSeconds: 5n }],
    ended: [],
  });
  first.close();
  const second = openJournal(folder, 43n);
  expect(second.state).toMatchObject({ clusterId: 42n, generation: 2n, revision: 2n });
  expect(second.state.entries).toEqual([now]);
  expect(second.state.leases).toEqual([{ id: 2n ** 62n, ttlSeconds: 5n }]);
  second.close();
});

test("a folder of another version is refused and left as it is", () => {
  openJournal(folder, 1n).close();
  const path = join(folder, "coordinator.sqlite");
  const database = new DatabaseSync(path);
  database.exec("PRAGMA user_version = 99");
  database.close();
  const before = readFileSync(path);
  expect(() => openJournal(folder, 1n)).toThrow(coded("TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN"));
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("a file that is no database is refused and left as it is", () => {
  const path = join(folder, "coordinator.sqlite");
  writeFileSync(path, "this is not a database, but it is long enough to look at".repeat(50));
  const before = readFileSync(path);
  expect(() => openJournal(folder, 1n)).toThrow(coded("TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN"));
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("a folder that cannot be made is refused", () => {
  writeFileSync(join(folder, "file"), "");
  expect(() => openJournal(join(folder, "file"), 1n)).toThrow(
    coded("TENFOLD_COORDINATOR_NODE_STORAGE_FAILED"),
  );
});

test("a folder has one owner at a time; the death of the owner frees it", async () => {
  const node = await startNode();
  expect(() => openJournal(node.dataFolder, 1n)).toThrow(
    coded("TENFOLD_COORDINATOR_NODE_FOLDER_IN_USE"),
  );
  await node.kill();
  openJournal(node.dataFolder, 1n).close();
  await node.close();
});
