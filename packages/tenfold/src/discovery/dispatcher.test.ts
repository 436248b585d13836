import { afterEach, expect, it } from "vitest";

import { builtInAgent, builtInDispatcher } from "./dispatcher.ts";

const older = Symbol.for("undici.globalDispatcher.1");
const newer = Symbol.for("undici.globalDispatcher.2");
const all = globalThis as unknown as Record<symbol, unknown>;
void globalThis.Headers;
const before = [all[older], all[newer]];

function put(first: unknown, second: unknown): void {
  all[older] = first;
  all[newer] = second;
}

afterEach(() => put(before[0], before[1]));

class Agent {}
class ProxyAgent {}
class Dispatcher1Wrapper {}

it("says what it expected where Node keeps no dispatcher", () => {
  put(undefined, undefined);
  expect(builtInDispatcher).toThrow(/undici\.globalDispatcher\.1/);
  expect(builtInDispatcher).toThrow(expect.objectContaining({ code: "TENFOLD_INTERNAL" }));
});

it.each([
  ["Node's agent", new Agent(), undefined, Agent],
  ["a proxy of the process", new ProxyAgent(), undefined, undefined],
  ["the agent of undici 8", new Dispatcher1Wrapper(), new Agent(), Agent],
  ["a proxy of undici 8", new Dispatcher1Wrapper(), new ProxyAgent(), undefined],
  ["a wrapper of nothing", new Dispatcher1Wrapper(), undefined, undefined],
])("takes connections of its own by the class of %s", (_what, first, second, expected) => {
  put(first, second);
  expect(builtInAgent()?.Agent).toBe(expected);
});

it("takes older handlers for what Node's own undici takes, and never for undici 8", () => {
  put(new Agent(), undefined);
  const major = Number.parseInt(process.versions.undici ?? "", 10);
  expect(builtInAgent()?.takesOlderHandlers).toBe(major < 8);
  put(new Dispatcher1Wrapper(), new Agent());
  expect(builtInAgent()?.takesOlderHandlers).toBe(false);
});
