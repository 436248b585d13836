import { defineConfig } from "vitest/config";

import { CountingReporter } from "./tools/proof/vitest-reporter.ts";

// No "import" here: it would reach `require` in the workers too, and break packages with both
// forms.
const conditions = ["tenfold:source", "node", "module", "default"];
const resolve = { conditions };
const ssr = { resolve: { conditions, externalConditions: ["tenfold:source"] } };

/** Conditions come late on a machine that is busy with other work, and then they do come. */
const patience = { expect: { poll: { timeout: 45_000 } } };

/** Where `npm run check` and `npm test` want the counts; unset when a person runs vitest. */
const report = process.env.TENFOLD_TEST_REPORT;

/**
 * unit: pure code, shared threads. process: tests that start servers or child processes, one fork
 * per file. The tier of a test is in its name: `x.test.ts` and `x.process.test.ts`.
 */
export default defineConfig({
  test: {
    reporters: report === undefined ? ["default"] : ["dot", new CountingReporter(report)],
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: "unit",
          include: ["{packages,apps}/*/src/**/*.test.ts", "tools/**/*.test.ts", "lab/**/*.test.ts"],
          exclude: ["**/*.process.test.ts", "**/dist/**", "**/node_modules/**"],
          pool: "threads",
          isolate: false,
          testTimeout: 60_000,
          execArgv: ["--conditions=tenfold:source"],
          ...patience,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: "process",
          include: [
            "{packages,apps}/*/src/**/*.process.test.ts",
            "{tools,lab}/**/*.process.test.ts",
          ],
          exclude: ["**/dist/**", "**/node_modules/**"],
          pool: "forks",
          maxWorkers: 2,
          // Of tests that ask for it; a suite that does has a bound of its own.
          maxConcurrency: 100,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          execArgv: ["--conditions=tenfold:source"],
          ...patience,
        },
      },
    ],
  },
});
