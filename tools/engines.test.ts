import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

import { engineSearchPath, findEngine, whyMissing } from "./engines/index.ts";

describe("finding an engine", () => {
  const folder = mkdtempSync(join(tmpdir(), "tenfold-engines-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const program = (name: string): string => {
    const path = join(folder, name);
    writeFileSync(path, "#!/bin/sh\n");
    chmodSync(path, 0o755);
    return path;
  };

  it("takes the explicit path, and no other when one is given", () => {
    const path = program("my-etcd");
    expect(findEngine("etcd", { TENFOLD_ENGINE_ETCD: path, PATH: "" })?.program).toBe(path);
    const gone = { TENFOLD_ENGINE_ETCD: join(folder, "gone"), PATH: process.env.PATH };
    expect(findEngine("etcd", gone)).toBeUndefined();
  });

  it("wants all programs in one folder of PATH", () => {
    program("etcd");
    const inFolder = (): boolean => findEngine("etcd", { PATH: folder })?.folder === folder;
    expect(inFolder()).toBe(false);
    program("etcdctl");
    expect(inFolder()).toBe(true);
  });

  it("accepts an engine under another name", () => {
    const path = program("chromium");
    expect(findEngine("chromium", { PATH: folder })?.program).toBe(path);
  });

  it("puts an explicit engine first on the PATH of tests", () => {
    const path = engineSearchPath({ TENFOLD_ENGINE_ETCD: join(folder, "etcd"), PATH: "/usr/bin" });
    expect(path.split(delimiter).slice(0, 2)).toEqual([folder, "/usr/bin"]);
  });

  it("says what to install when there is none", () => {
    expect(whyMissing("etcd")).toContain("etcd-server");
  });
});
