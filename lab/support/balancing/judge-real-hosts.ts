import type { Lab } from "../experiment.ts";
import {
  type RealFigures,
  type RealRun,
  realFaults,
  realPhases,
  runRealHosts,
} from "./real-hosts.ts";

const own = "default (4 choices, peak-EWMA)";
const hosts = 4;
/** Without a fault calls take little longer than their work, unless processors are short. */
const busyRatio = 2;
const settleSeconds = 5;

/** The same faults over real processes and sockets, beside HAProxy and nginx; our own is judged. */
export async function realHosts(lab: Lab): Promise<void> {
  const { wellAgain } = realPhases;
  lab.say(`\n  real processes: ${wellAgain[1]} s, all callers at once, 200 calls/s each`);
  const run = await runRealHosts(lab);
  table(lab, run);
  judge(lab, run);
  draw(lab, run);
}

function judge(lab: Lab, run: RealRun): void {
  const of = (phase: keyof typeof realPhases): RealFigures => run.figures(own, realPhases[phase]);
  const figure = (name: string, value: number, unit: string, atMost?: number): void =>
    lab.figure({
      name: `real: ${name}`,
      value,
      unit,
      ...(atMost !== undefined && { goal: { atMost } }),
    });
  // The start of all processes may still show in the first one.
  const wellP99 = Math.min(of("well").p99Ms, of("wellAgain").p99Ms);
  const quiet = wellP99 / run.workP99Ms;
  figure("without a fault: p99 to that of the work alone", quiet, "x");
  if (!(quiet < busyRatio)) {
    lab.say("  the machine is busy with other things: what is below says little; run it again");
  }
  const failing = of("failing");
  figure("fails at once, 1 of 4: share of attempts", failing.share("s1") * 100, "%", 0.5);
  figure("fails at once, 1 of 4: failed calls", failing.failed * 100, "%", 0.1);
  figure("fails at once, 1 of 4: attempts per call", failing.attemptsPerCall, "", 1.05);
  const back = secondsBack(run, realFaults.failing, realPhases.failing[1]);
  figure("fails at once, 1 of 4: full share after healing", back, "s", 5);
  const slow = of("slow");
  figure("one of 4 is 10x slower: share of attempts", slow.share("s0") * 100, "%");
  // As in virtual time: every client must meet the slow host once to know of it.
  const settled = run.figures(own, [realPhases.slow[0] + settleSeconds, realPhases.slow[1]]);
  figure("one of 4 is 10x slower: p99 to fault-free", settled.p99Ms / wellP99, "x", 1.1);
  figure("one of 4 is 10x slower: share of attempts then", settled.share("s0") * 100, "%");
  figure("one of 4 is 10x slower: with the first 5 s", slow.p99Ms / wellP99, "x");
  const healed = secondsBack(run, realFaults.slow, realPhases.slow[1]);
  figure("one of 4 is 10x slower: full share after healing", healed, "s");
  const thawed = realPhases.frozen[0] + 1;
  const afterFreeze = secondsBack(run, realFaults.frozen, thawed);
  figure("frozen for 1 s, 1 of 4: full share after", afterFreeze, "s", 5);
  const all = run.figures(own, [realPhases.well[0], realPhases.wellAgain[1]]);
  figure("all phases: failed calls", all.failed * 100, "%", 0.1);
  figure("all phases: attempts per call", all.attemptsPerCall, "", 1.05);
}

/** Seconds until the host has four fifths of its fair part again. */
function secondsBack(run: RealRun, host: string, healed: number): number {
  for (let from = healed; from < healed + 20; from += 0.5) {
    if (run.figures(own, [from, from + 1]).share(host) >= 0.8 / hosts) return from - healed;
  }
  return Number.NaN;
}

function table(lab: Lab, run: RealRun): void {
  const row = (name: string, cells: readonly (string | number)[]): void => {
    const text = cells.map((cell) => {
      return (typeof cell === "number" ? cell.toFixed(2) : cell).padStart(12);
    });
    lab.say(`  ${name.padEnd(32)}${text.join("")}`);
  };
  const columns: readonly [head: string, of: (name: string) => number][] = [
    ["well p99", (name) => run.figures(name, realPhases.well).p99Ms],
    ["failing %", (name) => run.figures(name, realPhases.failing).share("s1") * 100],
    ["errors %", (name) => run.figures(name, realPhases.failing).failed * 100],
    ["slow %", (name) => run.figures(name, realPhases.slow).share("s0") * 100],
    ["slow p99", (name) => run.figures(name, realPhases.slow).p99Ms],
    ["frozen p99", (name) => run.figures(name, realPhases.frozen).p99Ms],
    ["all: p99", (name) => run.figures(name, realPhases.allAtOnce).p99Ms],
    ["errors %", (name) => run.figures(name, realPhases.allAtOnce).failed * 100],
    ["healed p99", (name) => run.figures(name, realPhases.wellAgain).p99Ms],
  ];
  row(
    "",
    columns.map(([head]) => head),
  );
  for (const name of run.callers)
    row(
      name,
      columns.map(([, of]) => of(name)),
    );
}

function draw(lab: Lab, run: RealRun): void {
  const shown = run.callers.filter(
    (name) => name === own || name === "round robin" || /tuned|plain/.test(name),
  );
  const [, end] = realPhases.wellAgain;
  const seconds = Array.from({ length: end - 5 }, (_, at) => at + 5);
  const marks = [
    { x: realPhases.failing[0], label: "fails" },
    { x: realPhases.failing[1], label: "healed" },
    { x: realPhases.slow[0], label: "slow" },
    { x: realPhases.slow[1], label: "healed" },
    { x: realPhases.frozen[0], label: "frozen" },
    { x: realPhases.allAtOnce[0], label: "all" },
    { x: realPhases.allAtOnce[1], label: "healed" },
  ];
  const line = (name: string, title: string, label: string, of: (f: RealFigures) => number) =>
    lab.plot({
      kind: "line",
      name,
      title,
      x: { label: "seconds" },
      y: { label },
      series: shown.map((caller) => ({
        name: caller,
        points: seconds.map((at) => [at, of(run.figures(caller, [at, at + 1]))] as const),
      })),
      marks,
    });
  line(
    "real-share",
    "Share of the attempts of the host that fails at once",
    "share, %",
    (f) => f.share(realFaults.failing) * 100,
  );
  line("real-p99", "Real hosts: latency that 99 of 100 calls stay below", "ms", (f) => f.p99Ms);
  lab.plot({
    kind: "bar",
    name: "real-slow-p99",
    title: "Real hosts, one of four ten times slower: p99",
    y: { label: "ms" },
    bars: run.callers.map((name) => ({ name, value: run.figures(name, realPhases.slow).p99Ms })),
  });
}
