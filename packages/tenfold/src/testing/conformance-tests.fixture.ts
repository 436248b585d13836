import assert from "node:assert/strict";
import { cp, rm } from "node:fs/promises";

import { brokenOutside } from "./broken-outside.fixture.ts";
import {
  type CoordinatorConformanceCase,
  type CoordinatorConformanceOptions,
  coordinatorConformance,
} from "./coordinator-conformance.ts";
import { KnownFailure } from "./known-failure.ts";

/** More at once would wait for each other on a small machine. */
const besideMax = 5;
const testTimeoutMs = 150_000;

export interface ConformanceStand {
  /** For what may run side by side. */
  readonly beside: CoordinatorConformanceOptions;
  /** Other servers, for what disturbs them: one after the other, meanwhile. */
  readonly alone: CoordinatorConformanceOptions;
}

type Run = (one: CoordinatorConformanceCase) => Promise<void>;

/** `test.concurrent` of the runner. */
type Define = (
  name: string,
  options: { readonly timeout: number },
  body: (context: { skip(reason: string): void }) => Promise<void>,
) => void;

/** The suite as tests. */
export function testConformance(
  define: Define,
  stand: ConformanceStand,
  run: Run = inLanes(),
): void {
  for (const one of casesOf(stand)) {
    define(one.name, { timeout: testTimeoutMs }, async ({ skip }) => {
      if (one.needs !== undefined) return skip(one.needs);
      await run(one).catch((error: unknown) => {
        if (error instanceof KnownFailure) return skip(error.message);
        throw error;
      });
    });
  }
}

/**
 * What each of `brokenOutside` must fail, as tests, in as far as the stand has what it takes.
 * @param standOf the stand whose every client is the broken one of that name
 */
export function testBroken(
  define: Define,
  standOf: (broken: string) => ConformanceStand,
  run: Run = inLanes(),
): void {
  for (const [broken, { fails }] of Object.entries(brokenOutside)) {
    const cases = casesOf(standOf(broken)).filter(({ name }) => fails.includes(name));
    for (const one of cases.filter(({ needs }) => needs === undefined)) {
      define(`${broken}: ${one.name}`, { timeout: testTimeoutMs }, async () => {
        await assert.rejects(run(one));
      });
    }
  }
}

function casesOf({ beside, alone }: ConformanceStand): CoordinatorConformanceCase[] {
  return [
    ...coordinatorConformance(beside).filter((one) => one.isConcurrent),
    ...coordinatorConformance(alone).filter((one) => !one.isConcurrent),
  ];
}

/** Some side by side, some one after the other, as the cases say. */
export function inLanes(): Run {
  const lanes = { beside: lane(besideMax), alone: lane(1) };
  return (one) => lanes[one.isConcurrent ? "beside" : "alone"](one.run);
}

/** At most so many at once; the rest in the order of their coming. */
function lane(atOnceMax: number): <T>(run: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (run) => {
    if (running >= atOnceMax) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

/** Copies of data folders, taken and put back while their servers are down. */
export function folderBackup(servers: {
  folders(): readonly string[];
  kill(): Promise<void>;
  restart(): Promise<void>;
}): { take(): Promise<void>; restore(): Promise<void> } {
  const replace = async (from: string, to: string): Promise<void> => {
    await rm(to, { recursive: true, force: true });
    await cp(from, to, { recursive: true });
  };
  const whileDown = async (copy: (folder: string) => Promise<void>): Promise<void> => {
    await servers.kill();
    await Promise.all(servers.folders().map(copy));
    await servers.restart();
  };
  return {
    take: () => whileDown((folder) => replace(folder, `${folder}.backup`)),
    restore: () => whileDown((folder) => replace(`${folder}.backup`, folder)),
  };
}
