import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { extractTar } from "./tar.ts";

let folder: string;
let runs = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenfold-tar-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A ustar archive as the system's tar makes it. */
async function archive(files: ReadonlyMap<string, Uint8Array>): Promise<Uint8Array> {
  const source = join(folder, `source-${runs++}`);
  await mkdir(source);
  for (const [name, contents] of files) {
    await mkdir(join(source, dirname(name)), { recursive: true });
    await writeFile(join(source, name), contents);
  }
  return execFileSync("tar", ["--format=ustar", "-C", source, "-c", "."], { maxBuffer: 2 ** 26 });
}

test("whatever the contents, and wherever the stream is cut, the files come out whole", async () => {
  const name = fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,2}\.x$/);
  const contents = fc.uint8Array({ maxLength: 3_000 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(name, contents), { selector: ([path]) => path, maxLength: 6 }),
      fc.integer({ min: 1, max: 5_000 }),
      async (entries, size) => {
        const files = new Map(entries);
        const target = join(folder, `target-${runs++}`);
        await mkdir(target);
        await extractTar(cut(await archive(files), size), target);
        for (const [path, expected] of files) {
          expect(Buffer.compare(await readFile(join(target, path)), expected)).toBe(0);
        }
        const found = await readdir(target, { recursive: true });
        expect(found.filter((path) => path.endsWith(".x")).sort()).toEqual(
          [...files.keys()].sort(),
        );
      },
    ),
    { numRuns: 25 },
  );
});

test("a stream that ends early, is damaged or points outside is refused by code", async () => {
  const whole = await archive(new Map([["a.x", new Uint8Array(2_000)]]));
  const damaged = Uint8Array.from(whole);
  // A byte of the time stamp: nothing but the checksum can tell.
  damaged[140]! ^= 1;
  const outside = Buffer.from(whole);
  rename(outside, "../../escape");
  for (const bytes of [whole.subarray(0, 2_100), damaged, outside]) {
    await expect(extractTar(cut(bytes, 512), folder)).rejects.toMatchObject({
      code: "TENFOLD_POSTGRES_BACKUP_FAILED",
    });
  }
});

/** Gives the first entry of an archive another name, with the checksum that goes with it. */
function rename(header: Buffer, name: string): void {
  header.fill(0, 0, 100).write(name, 0);
  header.fill(" ", 148, 156);
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
}
