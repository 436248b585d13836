import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";

import type { Experiment, Figure, Lab } from "./experiment.ts";
import { formatNumber, goalHolds, goalText } from "./goal.ts";
import type { Machine } from "./machine.ts";
import { drawPlot } from "./plot.ts";

export interface ExperimentReport {
  readonly id: string;
  readonly title: string;
  readonly claim: string;
  /** Every goal is met, there is one at least, and nothing was thrown. */
  readonly holds: boolean;
  readonly seconds: number;
  readonly figures: readonly Figure[];
  /** Files in the output folder. */
  readonly plots: readonly string[];
  readonly error?: string;
}

export interface RunOptions {
  readonly machine: Machine;
  readonly full: boolean;
  readonly coordinator: Lab["coordinator"];
  readonly outFolder: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Runs one experiment to its end, cleans up after it, and judges its claim. */
export async function runExperiment(
  experiment: Experiment,
  options: RunOptions,
): Promise<ExperimentReport> {
  const { id, title, claim, expectedMinutes } = experiment;
  const { say, outFolder } = options;
  const figures: Figure[] = [];
  const plots: string[] = [];
  const undos: (() => Promise<void> | void)[] = [];
  const lab: Lab = {
    machine: options.machine,
    full: options.full,
    coordinator: options.coordinator,
    signal: options.signal,
    say,
    figure(input) {
      const figure = { ...input, holds: goalHolds(input.value, input.goal) };
      figures.push(figure);
      say(figureLine(figure));
    },
    plot(plot) {
      const name = `${id.toLowerCase()}-${plot.name}.svg`;
      writeFileSync(join(outFolder, name), drawPlot(plot));
      plots.push(name);
      say(`  plot ${relative(process.cwd(), join(outFolder, name))}`);
    },
    atEnd: (undo) => void undos.unshift(undo),
  };
  const inFull = options.full ? ", several times that in full" : "";
  say(`\n${id} ${title}\n  claim: ${claim}\n  takes about ${expectedMinutes} min${inFull}`);
  const began = performance.now();
  const errors: unknown[] = [];
  await experiment.run(lab).catch((error: unknown) => errors.push(error));
  for (const undo of undos) {
    await Promise.resolve()
      .then(undo)
      .catch((error: unknown) => errors.push(error));
  }
  const seconds = (performance.now() - began) / 1000;
  if (errors.length === 0 && !figures.some(({ goal }) => goal !== undefined)) {
    errors.push(new Error("the experiment gave no figure with a goal, so it shows nothing"));
  }
  const error = errors.map(errorStack).join("\n");
  if (error !== "") say(`  ${error}`);
  const holds = error === "" && figures.every((figure) => figure.holds);
  say(`  ${holds ? "the claim holds" : "THE CLAIM DOES NOT HOLD"} (${seconds.toFixed(1)} s)`);
  const report = { id, title, claim, holds, seconds, figures, plots };
  return error === "" ? report : { ...report, error };
}

function figureLine({ name, value, unit, goal, holds }: Figure): string {
  const amount = `${formatNumber(value)}${unit === "" ? "" : ` ${unit}`}`;
  const judged = goal === undefined ? "" : `   ${holds ? "ok" : "FAIL"} (${goalText(goal)})`;
  return `  ${name.padEnd(52)} ${amount.padStart(18)}${judged}`;
}

function errorStack(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
