import { ambientRooms, annexes, annexUsers, floors, placeOf } from "./floors.ts";
import { type ImportOf, isTest, resolveRelative, type SourceFile } from "./source-file.ts";
import type { Tree } from "./tree.ts";

const library = "packages/tenfold";
const helperName =
  /(^|\/)(testing|fixtures|(test|fake)-[\w-]+|[\w-]+[-.](fixtures?|harness|support))(\/|\.tsx?$)/;

/** Imports go down: from a room to a lower floor, its own floor, or an annex open to it. */
export function floorViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const { file, each, target } of roomImports(tree)) {
    const from = placeOf(file.path).room;
    const to = placeOf(target).room;
    if (from === to || from === "" || mayImport(from, to, isTest(file.path))) continue;
    found.push(
      `${file.path}:${each.line} imports ${to}/ from ${from}/: imports go down only ` +
        `(${describeFloor(from)}, ${describeFloor(to)}). Move the shared part down, ` +
        `or take it as a parameter.`,
    );
  }
  return found;
}

/** Rooms of one floor do not import each other in a circle, and neither do files. */
export function circleViolations(tree: Tree): string[] {
  const files = new Map<string, Set<string>>();
  const rooms = new Map<string, Set<string>>();
  for (const file of tree.sources.values()) {
    if (isTest(file.path)) continue;
    for (const each of file.imports) {
      const target = resolveRelative(file.path, each.specifier);
      if (target === undefined || !tree.sources.has(target)) continue;
      if (!each.typeOnly && !each.lazy) edge(files, file.path, target);
      const from = placeOf(file.path).exported;
      const to = placeOf(target).exported;
      if (from !== "" && to !== "" && from !== to) edge(rooms, from, to);
    }
  }
  const text = "Move what both need into a third place below them.";
  return [
    ...circles(files).map((circle) => `files import each other: ${circle.join(" → ")}. ${text}`),
    ...circles(rooms).map((circle) => `rooms import each other: ${circle.join(" → ")}. ${text}`),
  ];
}

/** Policies read no clock and no chance but what is handed to them. */
export function ambientViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const file of tree.sources.values()) {
    const { workspace, room } = placeOf(file.path);
    const ofLibrary = workspace === library && !ambientRooms.includes(room);
    // The main file of a program is its edge: there real time comes in.
    const ofApp = workspace.startsWith("apps/") && !file.path.endsWith("/main.ts");
    const bound = ofLibrary || ofApp;
    if (!bound || isTest(file.path) || isTestHelper(file.path)) continue;
    for (const { what, line } of file.ambient) {
      found.push(`${file.path}:${line} reads ${what}: take clock and random from the runtime.`);
    }
  }
  return found;
}

/** Rooms of floor 1 are pure: nothing of Node in them. */
export function purityViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const file of tree.sources.values()) {
    if (floors[placeOf(file.path).room] !== 1 || isTest(file.path)) continue;
    for (const { specifier, line } of file.imports) {
      if (!specifier.startsWith("node:")) continue;
      found.push(
        `${file.path}:${line} imports ${specifier}: a policy does no I/O; move it to the caller.`,
      );
    }
  }
  return found;
}

/** The library has no dependency: packages are loaded lazily, and described by our own types. */
export function dependencyViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const file of tree.sources.values()) {
    if (placeOf(file.path).workspace !== library || isTest(file.path)) continue;
    for (const { specifier, line, lazy } of file.imports) {
      if (specifier.startsWith(".") || specifier.startsWith("node:") || lazy) continue;
      found.push(
        `${file.path}:${line} imports "${specifier}": use import() where it is needed, ` +
          `and describe the calls you make with an interface of ours.`,
      );
    }
  }
  return found;
}

/** Inside the library files are named, or an engine as a whole; between packages exports are. */
export function specifierViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const file of tree.sources.values()) {
    const here = placeOf(file.path);
    for (const { specifier, line } of file.imports) {
      const at = `${file.path}:${line} imports "${specifier}"`;
      const target = resolveRelative(file.path, specifier);
      if (target === undefined) {
        if (/^tenfold(\/|$)/.test(specifier) && here.workspace === library && !isTest(file.path))
          found.push(`${at}: inside the library use the relative path with its ending.`);
        continue;
      }
      const there = placeOf(target);
      if (there.workspace === library && here.workspace !== library) {
        found.push(`${at}: use the export \`tenfold/${there.exported}\`.`);
      } else if (there.exported !== here.exported && /\/src\/[\w-]+\/index\.ts$/.test(target)) {
        found.push(`${at}: import the file that declares it, not another room's index.ts.`);
      }
    }
  }
  return found;
}

/** Written for tests, by its name: `testing/`, `test-…`, `fake-…`, `….fixture.ts`, `…-harness`. */
export function isTestHelper(path: string): boolean {
  return helperName.test(path);
}

function mayImport(from: string, to: string, test: boolean): boolean {
  if (annexes.includes(to)) return test || (annexUsers[to] ?? []).includes(from);
  const target = floors[to];
  if (target === undefined) return false;
  if (annexes.includes(from)) return true;
  return (floors[from] ?? -1) >= target;
}

function describeFloor(room: string): string {
  const floor = floors[room];
  if (floor !== undefined) return `${room} is on floor ${floor}`;
  return annexes.includes(room) ? `${room} stands beside the floors` : `${room} has no floor`;
}

function* roomImports(
  tree: Tree,
): Generator<{ file: SourceFile; each: ImportOf; target: string }, void> {
  for (const file of tree.sources.values()) {
    for (const each of file.imports) {
      const target = resolveRelative(file.path, each.specifier);
      if (target !== undefined && placeOf(target).room !== "") yield { file, each, target };
    }
  }
}

function edge(graph: Map<string, Set<string>>, from: string, to: string): void {
  const known = graph.get(from);
  if (known === undefined) graph.set(from, new Set([to]));
  else known.add(to);
}

/** One circle per knot of the graph, as the path around it. */
function circles(graph: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const found: string[][] = [];
  const finished = new Set<string>();
  const visit = (node: string, trail: string[]): void => {
    const at = trail.indexOf(node);
    if (at >= 0) {
      found.push([...trail.slice(at), node]);
      return;
    }
    if (finished.has(node)) return;
    for (const next of graph.get(node) ?? []) visit(next, [...trail, node]);
    finished.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}
