import type { Goal } from "./goal.ts";
import type { Machine } from "./machine.ts";
import type { Plot } from "./plot.ts";

/** One number that an experiment stands for. Without a goal it only informs. */
export interface FigureInput {
  readonly name: string;
  readonly value: number;
  /** `ms`, `MB`, `requests/s`; empty for a plain count. */
  readonly unit: string;
  readonly goal?: Goal;
}

export interface Figure extends FigureInput {
  /** True without a goal. */
  readonly holds: boolean;
}

/** What an experiment is given. */
export interface Lab {
  readonly machine: Machine;
  /** Wanted in full size, however long that takes. */
  readonly full: boolean;
  /** What a fleet is to run on, where the experiment leaves that open. */
  readonly coordinator: "embedded" | "etcd";
  /** Aborts when the run is told to end. */
  readonly signal: AbortSignal;
  /** Reports a number; printed at once, with whether its goal holds. */
  figure(figure: FigureInput): void;
  /** Draws into `lab/out/`. */
  plot(plot: Plot): void;
  /** Tells what goes on. */
  say(line: string): void;
  /** Runs at the end in any case, last registered first. */
  atEnd(undo: () => Promise<void> | void): void;
}

export interface Experiment {
  /** The requirement it shows: `R58`. */
  readonly id: string;
  readonly title: string;
  /** One sentence that the figures either bear out or not. */
  readonly claim: string;
  readonly expectedMinutes: number;
  run(lab: Lab): Promise<void>;
}

/** Declares an experiment; `lab/r58-….ts` exports it as `experiment`. */
export function defineExperiment(experiment: Experiment): Experiment {
  return experiment;
}
