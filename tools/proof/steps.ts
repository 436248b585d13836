import { endWithUs } from "./run-command.ts";
import { addCounts, refusedSkips, type TestCounts } from "./test-counts.ts";

export interface StepResult extends TestCounts {
  /** Shown when something failed. */
  readonly output: string;
}

export interface Step {
  readonly name: string;
  run(): Promise<StepResult>;
}

/**
 * Runs lanes beside each other and the steps of a lane in order, says what each step found and how
 * long it took, and gives back the sum.
 */
export async function runSteps(
  lanes: readonly (readonly Step[])[],
  say: (line: string) => void = console.log,
): Promise<TestCounts> {
  const results = await Promise.all(lanes.map((lane) => runLane(lane, say)));
  return addCounts(results.flat());
}

/** The closing lines: every skip with its reason, then the counts. Sets the exit code. */
export function conclude(counts: TestCounts): void {
  const requireEngines = process.env.TENFOLD_REQUIRE_ENGINES === "1";
  const refused = refusedSkips(counts, requireEngines);
  for (const skip of counts.skipped) {
    const verdict = refused.includes(skip) ? "FAIL, skipped" : "skipped";
    const known = skip.reason !== "" && skip.name.includes(skip.reason);
    const reason = skip.reason === "" ? "no reason given" : skip.reason;
    console.log(`${verdict}: ${skip.name}${known ? "" : `: ${reason}`}`);
  }
  const failed = counts.failed + refused.length;
  const skipped = counts.skipped.length - refused.length;
  console.log(`${counts.passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** Lets Ctrl-C, and the end of the program that started us, end the steps too. */
export function prepare(): void {
  endWithUs();
  if (process.channel !== undefined) process.channel.unref();
}

async function runLane(lane: readonly Step[], say: (line: string) => void): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for (const step of lane) {
    const began = performance.now();
    const result = await step.run().catch(crashed);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const failed = result.failed > 0;
    if (failed) say(`\n${result.output.trim()}\n`);
    const { passed, skipped } = result;
    const found = [`${passed} passed`];
    if (failed) found.push(`${result.failed} failed`);
    if (skipped.length > 0) found.push(`${skipped.length} skipped`);
    const verdict = failed ? "FAIL" : "ok  ";
    say(`${verdict} ${step.name.padEnd(24)} ${seconds.padStart(6)} s   ${found.join(", ")}`);
    results.push(result);
  }
  return results;
}

function crashed(error: unknown): StepResult {
  const output = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { passed: 0, failed: 1, skipped: [], output };
}
