import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

import { drift, update } from "./generated/generated-texts.ts";
import { metricsOf } from "./generated/metric-list.ts";

describe("generated texts", () => {
  const folder = mkdtempSync(join(tmpdir(), "tenfold-generated-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("drift when they are missing, stale or left over, and not after an update", () => {
    const texts = new Map([
      ["api/a.txt", "new"],
      ["docs/reference/b.md", "b"],
    ]);
    mkdirSync(join(folder, "api"));
    writeFileSync(join(folder, "api/a.txt"), "old");
    writeFileSync(join(folder, "api/gone.txt"), "x");
    expect(drift(texts, folder)).toEqual(["api/a.txt", "docs/reference/b.md", "api/gone.txt"]);
    update(texts, folder);
    expect(drift(texts, folder)).toEqual([]);
  });
});

describe("the list of metrics", () => {
  it("reads calls of a registry and of a helper around it", () => {
    const text = `
      const all = registry.counter({ name: "all_total", help: "All " + "of it.", labels: ["a", "b"] });
      const gauge = (name: string, help: string) => registry.gauge({ name: \`x_\${name}_now\`, help });
      gauge("heap", "In use.");
      other.thing({ name: "no", help: "no" });`;
    expect(metricsOf("m.ts", text)).toEqual([
      { name: "all_total", kind: "counter", labels: ["a", "b"], help: "All of it." },
      { name: "x_heap_now", kind: "gauge", labels: [], help: "In use." },
    ]);
  });
});
