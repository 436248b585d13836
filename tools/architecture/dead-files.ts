import { isTestHelper } from "./import-rules.ts";
import { isTest, resolveRelative } from "./source-file.ts";
import type { Tree } from "./tree.ts";

/** Started or loaded by a tool or a person, not by an import. */
const started: readonly RegExp[] = [
  /^[\w.-]+\.config\.ts$/,
  /^packages\/[\w-]+\/vite\.config\.ts$/,
  /^packages\/[\w-]+\/(bin|dev)\//,
  /^packages\/tenfold\/src\/(engines\/)?[\w-]+\/index\.ts$/,
  /^apps\/[\w-]+\/[\w-]+\.ts$/,
  /^apps\/[\w-]+\/src\/traffic\/main\.ts$/,
  /^lab\/((support\/canary\/)?r\d+-[\w-]+|run)\.ts$/,
  /^benchmarks\/[\w-]+\.ts$/,
  /^examples\//,
  /^tools\/(bootstrap\.js|[\w-]+\.test\.ts)$/,
  /\.d\.ts$/,
];

/** Source files that nothing imports, exports or starts; a test alone keeps only a helper alive. */
export function deadFiles(tree: Tree): string[] {
  const roots = [...tree.sources.keys()].filter((path) => started.some((each) => each.test(path)));
  for (const [path, text] of tree.texts) {
    if (/(^|\/)package\.json$|\.html$/.test(path)) roots.push(...mentioned(tree, path, text));
  }
  const alive = reachable(tree, roots);
  const tests = [...tree.sources.keys()].filter(isTest);
  const underTest = reachable(tree, tests);
  const found: string[] = [];
  for (const path of tree.sources.keys()) {
    if (alive.has(path) || isTest(path)) continue;
    if (underTest.has(path) && isTestHelper(path)) continue;
    const only = underTest.has(path) ? "only its tests use it" : "nothing uses it";
    found.push(`${path}: ${only}. Delete it, export it, or name it as a helper of tests.`);
  }
  return found;
}

function reachable(tree: Tree, roots: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const waiting = [...roots];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const file = tree.sources.get(path);
    if (file === undefined || seen.has(path)) continue;
    seen.add(path);
    for (const { specifier } of file.imports) {
      const target = resolveRelative(path, specifier);
      if (target !== undefined) waiting.push(...candidates(tree, target));
    }
    for (const text of file.strings) {
      if (/^[\w./-]+$/.test(text) && text.includes("/")) waiting.push(...places(tree, path, text));
    }
  }
  return seen;
}

/** Sources that a manifest or a page names. */
function mentioned(tree: Tree, path: string, text: string): string[] {
  const names = text.match(/[\w./-]+\.(ts|tsx|js)\b/g) ?? [];
  return names.flatMap((name) => places(tree, path, name));
}

/** What a path in a string may mean: beside the file, from its workspace, or from the root. */
function places(tree: Tree, from: string, name: string): string[] {
  const bare = name.replace(/^\.?\//, "");
  const workspace = from.split("/").slice(0, 2).join("/");
  return [resolveRelative(from, `./${name}`) as string, `${workspace}/${bare}`, bare].flatMap(
    (path) => candidates(tree, path),
  );
}

/** The source of a path that may name its output or leave out its ending. */
function candidates(tree: Tree, path: string): string[] {
  const stem = path.replace(/\.(ts|tsx|js)$/, "");
  const inSource = stem.replace(/(^|\/)dist\//, "$1src/");
  return [path, `${stem}.ts`, `${stem}.tsx`, `${inSource}.ts`, stem.replace("/dist/", "/")]
    .flatMap((each) => [each, `${each}.ts`])
    .filter((each) => tree.sources.has(each));
}
