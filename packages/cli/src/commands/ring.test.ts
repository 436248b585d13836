import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";

import { ringCommand } from "./ring.ts";

const folder = mkdtempSync(join(tmpdir(), "tenfold-ring-"));
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function output(...args: string[]): Promise<string> {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await ringCommand().parseAsync(["node", "ring", "diff", ...args]);
  return write.mock.calls.map(([text]) => String(text)).join("");
}

test("ring diff counts, and names the file that it cannot use", async () => {
  const ring = (...nicknames: string[]): string =>
    JSON.stringify({ policy: "ring", nodes: nicknames.map((nickname) => ({ nickname })) });
  const before = file("before.json", ring("a", "b"));
  const after = file("after.json", ring("a", "b", "c"));
  const json = JSON.parse(await output(before, after, "--json", "--keys", "2000"));
  expect(json).toMatchObject({ before: "ring", after: "ring", keys: 2_000, needless: 0 });
  expect(json.nodes[2]).toMatchObject({ identity: "c", before: 0, after: json.moved });

  const twice = file("twice.json", ring("a", "a"));
  const coded = (code: string, message: RegExp) =>
    expect.objectContaining({ code, message: expect.stringMatching(message) });
  await expect(output(before, twice)).rejects.toEqual(
    coded("TENFOLD_HASHING_NICKNAME_TAKEN", /twice\.json: Two nodes are called "a"/),
  );
  await expect(output(before, file("broken.json", "{"))).rejects.toEqual(
    coded("TENFOLD_HASHING_CONFIG_INVALID", /broken\.json cannot be read as JSON/),
  );
  await expect(output(before, join(folder, "gone.json"))).rejects.toEqual(
    coded("TENFOLD_HASHING_CONFIG_INVALID", /gone\.json cannot be read/),
  );
  await expect(output(before, after, "--keys", "10")).rejects.toEqual(
    coded("TENFOLD_OPTION_INVALID", /--keys must be/),
  );
});
