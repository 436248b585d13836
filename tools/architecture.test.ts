import { errorCodes } from "tenfold/runtime";
import { describe, expect, it } from "vitest";

import { deadFiles } from "./architecture/dead-files.ts";
import { idleErrorCodes } from "./architecture/error-codes.ts";
import {
  ambientViolations,
  circleViolations,
  dependencyViolations,
  floorViolations,
  purityViolations,
  specifierViolations,
} from "./architecture/import-rules.ts";
import { brokenLinks, unlistedExperiments } from "./architecture/links.ts";
import {
  exportViolations,
  indexViolations,
  nameViolations,
  sizeViolations,
} from "./architecture/shape-rules.ts";
import { readTree, type Tree, treeOf } from "./architecture/tree.ts";
import { lockfileViolations, wordViolations } from "./architecture/words.ts";

interface Rule {
  readonly name: string;
  readonly check: (tree: Tree) => string[];
  /** Planted violations: a small tree and how many the rule must find in it. */
  readonly canary: { readonly files: Readonly<Record<string, string>>; readonly finds: number };
}

const lib = "packages/tenfold/src";
const manifest = (...rooms: string[]): string =>
  JSON.stringify({
    exports: Object.fromEntries(
      rooms.map((room) => [
        `./${room}`,
        {
          "tenfold:source": `./src/${room}/index.ts`,
          types: `./dist/${room}/index.d.ts`,
          default: `./dist/${room}/index.js`,
        },
      ]),
    ),
  });

const rules: readonly Rule[] = [
  {
    name: "imports go down only",
    check: floorViolations,
    canary: {
      files: {
        [`${lib}/hashing/ring.ts`]: `import { a } from "../gateway/route.ts"; a();`,
        [`${lib}/balancing/pick.ts`]: `import type { A } from "../testing/a.ts"; export type B = A;`,
        [`${lib}/queueing/queue.ts`]: `export { b } from "../attic/b.ts";`,
        [`${lib}/gateway/route.ts`]: `import { c } from "../hashing/ring.ts"; c();`,
        [`${lib}/queueing/queue.test.ts`]: `import { m } from "../engines/memory/queue.ts"; m();`,
      },
      finds: 3,
    },
  },
  {
    name: "no circle of files or rooms",
    check: circleViolations,
    canary: {
      files: {
        [`${lib}/queueing/a.ts`]: `import { b } from "../discovery/b.ts"; export const a = b;`,
        [`${lib}/discovery/b.ts`]: `import { a } from "../queueing/a.ts"; export const b = a;`,
        [`${lib}/hashing/c.ts`]: `import type { D } from "./d.ts"; export type C = D;`,
        [`${lib}/hashing/d.ts`]: `import type { C } from "./c.ts"; export type D = C;`,
      },
      finds: 2,
    },
  },
  {
    name: "no ambient time, timers or chance in policies, systems, roles and apps",
    check: ambientViolations,
    canary: {
      files: {
        [`${lib}/balancing/pick.ts`]: [
          "const a = Date.now() + performance.now() + Math.random();",
          "const b = new Date(); const c = new Date(a); setTimeout(f, 1); setInterval(f, 1);",
          "const d = AbortSignal.timeout(5); // Date.now() in a comment is none",
          'const e = "Math.random()"; clock.setTimeout(f);',
        ].join("\n"),
        [`${lib}/runtime/clock.ts`]: "export const now = Date.now;",
        "apps/posts/src/post.ts": "export const at = Date.now();",
      },
      finds: 8,
    },
  },
  {
    name: "nothing of Node on floor 1",
    check: purityViolations,
    canary: {
      files: {
        [`${lib}/telemetry/registry.ts`]: `import { hostname } from "node:os"; hostname();`,
        [`${lib}/fleet/host.ts`]: `import { hostname } from "node:os"; hostname();`,
      },
      finds: 1,
    },
  },
  {
    name: "the library has no dependency",
    check: dependencyViolations,
    canary: {
      files: {
        [`${lib}/engines/postgres/pool.ts`]: `import pg from "pg"; export const p = () => import("pg"), q = pg;`,
        [`${lib}/engines/postgres/types.ts`]: `import type { Pool } from "pg"; export type P = Pool;`,
      },
      finds: 2,
    },
  },
  {
    name: "files are imported by path inside the library, by export from outside",
    check: specifierViolations,
    canary: {
      files: {
        [`${lib}/fleet/a.ts`]: `import { q } from "../queueing/index.ts"; import { r } from "tenfold/runtime"; q(r);`,
        "apps/posts/src/b.ts": `import { q } from "../../../packages/tenfold/src/queueing/queue.ts"; q();`,
        "apps/posts/src/c.ts": `import { q } from "tenfold/queueing"; q();`,
      },
      finds: 3,
    },
  },
  {
    name: "files of at most 400 lines, lines of at most 100 columns",
    check: sizeViolations,
    canary: {
      files: {
        "tools/long.ts": "f();\n".repeat(401),
        "tools/full.ts": "f();\n".repeat(400),
        "tools/wide.ts": `// ${"x".repeat(98)}\n// https://example.org/${"x".repeat(98)}\n`,
      },
      finds: 2,
    },
  },
  {
    name: "kebab-case names",
    check: nameViolations,
    canary: {
      files: {
        "tools/camelCase.ts": "f();",
        "tools/snake_case.ts": "f();",
        "tools/a-b.process.test.ts": "f();",
      },
      finds: 2,
    },
  },
  {
    name: "index.ts only re-exports, by name",
    check: indexViolations,
    canary: {
      files: {
        [`${lib}/hashing/index.ts`]: `export * from "./a.ts"; export const b = 1; export { c } from "./c.ts";`,
      },
      finds: 2,
    },
  },
  {
    name: "rooms and exports agree",
    check: exportViolations,
    canary: {
      files: {
        "packages/tenfold/package.json": manifest("hashing", "engines/memory", "gone"),
        [`${lib}/hashing/index.ts`]: "",
        [`${lib}/engines/memory/index.ts`]: "",
        [`${lib}/engines/sqlite/queue.ts`]: "",
        [`${lib}/attic/a.ts`]: "",
      },
      finds: 3,
    },
  },
  {
    name: "no dead file",
    check: deadFiles,
    canary: {
      files: {
        [`${lib}/hashing/index.ts`]: `export { a } from "./a.ts";`,
        [`${lib}/hashing/a.ts`]: `export const a = (end) => new URL(\`./thread\${end}\`, base);`,
        [`${lib}/hashing/thread.ts`]: "f();",
        [`${lib}/hashing/b.ts`]: "export const b = 1;",
        [`${lib}/hashing/b.test.ts`]: `import { b } from "./b.ts"; import { h } from "./test-help.ts"; b(h);`,
        [`${lib}/hashing/test-help.ts`]: "export const h = 1;",
        "packages/cli/bin/tenfold.js": `await import("../dist/main.js");`,
        "packages/cli/src/main.ts": "f();",
        "tools/nobody.ts": "f();",
      },
      finds: 2,
    },
  },
  {
    name: "no error code that nothing raises",
    check: (tree) => idleErrorCodes(tree),
    // An empty tree raises none of them.
    canary: { files: {}, finds: Object.keys(errorCodes).length },
  },
  {
    name: "links in pages lead somewhere",
    check: (tree) => brokenLinks(tree),
    canary: {
      files: {
        "docs/a.md": "[x](../README.md) [y](gone.md#part) [z](https://example.org/) [t](#t)",
      },
      finds: 1,
    },
  },
  {
    name: "experiments stand in the table of requirements",
    check: unlistedExperiments,
    canary: {
      files: {
        "docs/requirements.md": "| R1 | a | [shown](../lab/r1-a.ts) |\n| R2 | b | not yet |",
        "lab/r1-a.ts": "f();",
        "lab/r2-b.ts": "f();",
      },
      finds: 1,
    },
  },
  {
    name: "no banned word",
    check: wordViolations,
    canary: {
      files: {
        "a.ts": `// ${"TO"}DO later\n// see ${"/ro"}ot/x\n// as ${"iss"}ue 12 says\n// my ${"coll"}eague`,
        "b.md": `from http${"s"}://registry.example.org/ and ${"/wo"}rk/x`,
        "c.ts": `const path = "/api/v1/posts"; const from = "/root"; // a session of the todos`,
      },
      finds: 6,
    },
  },
  {
    name: "a lockfile without addresses",
    check: lockfileViolations,
    canary: {
      files: {
        "package-lock.json": JSON.stringify({
          packages: {
            "node_modules/a": { resolved: "https://example.org/a.tgz" },
            "node_modules/b": { version: "1.0.0" },
            "node_modules/c": { resolved: "packages/c", link: true },
          },
        }),
      },
      finds: 1,
    },
  },
];

describe("the house rules hold", () => {
  const tree = readTree();
  for (const { name, check } of rules) {
    it(name, () => expect(check(tree)).toEqual([]));
  }
});

describe("each rule finds what is planted", () => {
  for (const { name, check, canary } of rules) {
    it(name, () => {
      const found = check(treeOf(new Map(Object.entries(canary.files))));
      expect(found, found.join("\n")).toHaveLength(canary.finds);
    });
  }
});
