import { drawBars } from "./plot-bars.ts";
import { drawLines } from "./plot-lines.ts";
import { drawTimeline } from "./plot-timeline.ts";

export interface Axis {
  /** With its unit: `latency, ms`. */
  readonly label: string;
}

/** Something that happened at a place of the x axis. */
export interface Mark {
  readonly x: number;
  readonly label: string;
}

interface PlotHead {
  /** Becomes part of the file's name: `latency`. */
  readonly name: string;
  readonly title: string;
}

export interface LinePlot extends PlotHead {
  readonly kind: "line";
  readonly x: Axis;
  readonly y: Axis;
  /** Points in the order of x; a missing value (NaN) breaks the line. */
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly (readonly [x: number, y: number])[];
  }[];
  readonly marks?: readonly Mark[];
}

export interface BarPlot extends PlotHead {
  readonly kind: "bar";
  readonly y: Axis;
  readonly bars: readonly { readonly name: string; readonly value: number }[];
  /** A line across: the goal. */
  readonly goal?: number;
}

export interface TimelinePlot extends PlotHead {
  readonly kind: "timeline";
  readonly x: Axis;
  readonly rows: readonly {
    readonly name: string;
    readonly spans: readonly {
      readonly from: number;
      readonly to: number;
      readonly tone: "good" | "waiting" | "bad";
    }[];
  }[];
  readonly marks?: readonly Mark[];
}

export type Plot = LinePlot | BarPlot | TimelinePlot;

/** A plot as an SVG document that reads well on light and dark ground. */
export function drawPlot(plot: Plot): string {
  switch (plot.kind) {
    case "line":
      return drawLines(plot);
    case "bar":
      return drawBars(plot);
    case "timeline":
      return drawTimeline(plot);
  }
}
