import type { Traffic } from "../../apps/posts/src/traffic/traffic.ts";
import { missingFromShards } from "./acknowledged.ts";
import type { Lab } from "./experiment.ts";

/** Answered requests by the second, and when what happened. */
export interface TrafficWatch {
  mark(label: string): void;
  /** Idempotent. */
  stop(): void;
  draw(lab: Lab, title: string): void;
}

export function watchTraffic(traffic: Traffic): TrafficWatch {
  const began = performance.now();
  const points: [number, number][] = [];
  const marks: { x: number; label: string }[] = [];
  let before = { at: 0, answered: 0 };
  const seconds = (): number => (performance.now() - began) / 1_000;
  const timer = setInterval(() => {
    const [at, { answered }] = [seconds(), traffic.report()];
    points.push([at, (answered - before.answered) / (at - before.at)]);
    before = { at, answered };
  }, 1_000);
  return {
    mark: (label) => void marks.push({ x: seconds(), label }),
    stop: () => clearInterval(timer),
    draw: (lab, title) =>
      lab.plot({
        kind: "line",
        name: "requests",
        title,
        x: { label: "time, s" },
        y: { label: "requests/s" },
        series: [{ name: "answered", points }],
        marks,
      }),
  };
}

/** What the population of users found; every fault counts against the claim. */
export function judgeTraffic(lab: Lab, traffic: Traffic): void {
  const { samples, ...counts } = traffic.report();
  for (const sample of samples) lab.say(`  ${sample}`);
  const figure = (name: string, value: number, isFault = false): void =>
    lab.figure({ name, value, unit: "", ...(isFault && { goal: { equals: 0 } }) });
  figure("requests answered", counts.answered);
  figure("sent again by the client, when a gateway was killed", counts.resent);
  figure("failed requests", counts.failed + counts.skipped, true);
  figure("reads that missed the author's own acknowledged post", counts.missed, true);
  const wrong = counts.disordered + counts.repeated + counts.misshapen;
  figure("order, duplicate and page errors", wrong, true);
}

/** What was acknowledged, looked for in the databases themselves. */
export async function judgeLoss(lab: Lab, traffic: Traffic, dataFolder: string): Promise<void> {
  const { asked, missing } = await missingFromShards(dataFolder, traffic.acknowledged());
  lab.figure({ name: "acknowledged posts", value: asked, unit: "" });
  lab.figure({
    name: "acknowledged posts missing from PostgreSQL",
    value: missing.length,
    unit: "",
    goal: { equals: 0 },
  });
}
