import { writeFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule } from "vitest/node";

import type { TestCounts } from "./test-counts.ts";

/** Writes passed, failed and skipped tests, with their reasons, to a file. */
export class CountingReporter implements Reporter {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0;
    let failed = errors.length;
    const skipped: { name: string; reason: string }[] = [];
    for (const module of modules) {
      const failures = module.errors().length;
      failed += failures;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") passed += 1;
        else if (result.state === "skipped") {
          skipped.push({ name: test.fullName, reason: reasonOf(test, result.note) });
        } else failed += 1;
      }
    }
    const counts: TestCounts = { passed, failed, skipped };
    writeFileSync(this.#file, JSON.stringify(counts));
  }
}

/** `context.skip("why")`, or in a name: `etcd (skipped: not on PATH)`, `cuts (needs a proxy)`. */
function reasonOf(test: TestCase, note: string | undefined): string {
  const { fullName } = test;
  const said = /\(skipped: ([^()]+)\)/.exec(fullName) ?? /\((needs [^()]+)\)/.exec(fullName);
  return note ?? said?.[1] ?? "";
}
