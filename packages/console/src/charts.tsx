import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { HistoryPoint } from "../../cli/src/console/console-state.ts";

interface Line {
  readonly label: string;
  /** A custom property of the stylesheet. */
  readonly color: string;
  readonly value: (point: HistoryPoint) => number | undefined;
}

const traffic: readonly Line[] = [
  { label: "requests/s", color: "--accent", value: ({ perSecond }) => perSecond },
  { label: "failures/s", color: "--bad", value: ({ failuresPerSecond }) => failuresPerSecond },
];
const latency: readonly Line[] = [
  { label: "median", color: "--good", value: ({ p50Ms }) => p50Ms },
  { label: "p99", color: "--busy", value: ({ p99Ms }) => p99Ms },
];

/** The last ten minutes of what the gateway answered. */
export function Charts({ history }: { readonly history: readonly HistoryPoint[] }): VNode {
  return (
    <section class="charts" aria-label="Last ten minutes">
      <Chart title="Requests and failures per second" lines={traffic} history={history} />
      <Chart title="Latency in milliseconds" lines={latency} history={history} />
    </section>
  );
}

interface ChartProps {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly history: readonly HistoryPoint[];
}

const height = 170;
const shownSeconds = 600;

function Chart({ title, lines, history }: ChartProps): VNode {
  const frame = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  useEffect(() => {
    const element = frame.current as HTMLDivElement;
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const draw = (): void => {
      const data = chart.current?.data ?? emptyData(lines);
      chart.current?.destroy();
      chart.current = new uPlot(chartOptions(element, lines), data, element);
    };
    const watcher = new ResizeObserver(() =>
      chart.current?.setSize({ width: element.clientWidth, height }),
    );
    draw();
    watcher.observe(element);
    scheme.addEventListener("change", draw);
    return () => {
      scheme.removeEventListener("change", draw);
      watcher.disconnect();
      chart.current?.destroy();
    };
  }, [lines]);
  useEffect(() => {
    const times = history.map(({ timeMs }) => timeMs / 1_000);
    const series = lines.map(({ value }) => history.map((point) => value(point) ?? null));
    chart.current?.setData([times, ...series]);
  }, [history, lines]);
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <div ref={frame} class="chart" style={{ minHeight: `${height}px` }} />
    </figure>
  );
}

function emptyData(lines: readonly Line[]): uPlot.AlignedData {
  return [[], ...lines.map(() => [])];
}

function chartOptions(element: HTMLElement, lines: readonly Line[]): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: color("--muted"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return {
    width: element.clientWidth,
    height,
    padding: [8, 8, 0, 0],
    cursor: { drag: { setScale: false } },
    scales: {
      x: { range: (_, __, max) => [max - shownSeconds, max] },
      y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] },
    },
    axes: [
      { ...axis, values: "{HH}:{mm}:{ss}", space: 70, size: 28 },
      { ...axis, size: 44 },
    ],
    legend: { live: false },
    series: [
      { label: "time", value: "{HH}:{mm}:{ss}" },
      ...lines.map(({ label, color: name }) => ({
        label,
        stroke: color(name),
        width: 1.5,
        points: { show: false },
        value: (_: uPlot, value: number | null) => (value === null ? "–" : value.toFixed(1)),
      })),
    ],
  };
}
