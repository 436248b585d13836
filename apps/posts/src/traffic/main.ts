import { parseArgs, styleText } from "node:util";

import { demoPages } from "./demo-pages.ts";
import { startTraffic, type TrafficReport, trafficDefaults } from "./traffic.ts";

const usage = `npm run traffic -- [options]: users write, read and check until Ctrl-C.
  --gateway URL      default http://127.0.0.1:8080
  --pages URL        the site that posts link to, default http://127.0.0.1:8081
  --per-second N     requests a second, default ${trafficDefaults.perSecond}
  --users N          default ${trafficDefaults.users}, by Zipf
  --seconds N        stop by itself
  --json             one JSON line a second`;

const { values } = parseArgs({
  options: {
    gateway: { type: "string", default: "http://127.0.0.1:8080" },
    pages: { type: "string", default: "http://127.0.0.1:8081" },
    "per-second": { type: "string", default: String(trafficDefaults.perSecond) },
    users: { type: "string", default: String(trafficDefaults.users) },
    seconds: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log(usage);
} else {
  await main();
}
// The channel to the program that started this one would keep it alive.
if (process.connected) process.disconnect();

async function main(): Promise<void> {
  const traffic = startTraffic({
    ...trafficDefaults,
    gateway: values.gateway,
    perSecond: wholeNumber("per-second", values["per-second"]),
    users: wholeNumber("users", values.users),
    urls: demoPages(values.pages),
  });
  let last = traffic.report();
  const timer = setInterval(() => {
    const report = traffic.report();
    print(report, report.answered - last.answered, traffic.takeLatencies());
    last = report;
  }, 1_000);
  await stopAsked(
    values.seconds === undefined ? undefined : wholeNumber("seconds", values.seconds),
  );
  clearInterval(timer);
  await traffic.stop();
  const report = traffic.report();
  print(report, 0, []);
  for (const sample of report.samples) console.error(styleText("red", sample));
  process.exitCode =
    report.failed + report.missed + report.disordered + report.repeated === 0 ? 0 : 1;
}

function print(report: TrafficReport, perSecond: number, latencies: readonly number[]): void {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10;
  const [p50Ms, p99Ms] = [at(0.5), at(0.99)];
  if (values.json) {
    console.log(JSON.stringify({ ...report, perSecond, p50Ms, p99Ms }));
    return;
  }
  const { written, resent, failed, missed, disordered, repeated, misshapen } = report;
  const wrong = missed + disordered + repeated + misshapen;
  const good = (count: number, text: string) => styleText(count === 0 ? "green" : "red", text);
  console.log(
    `${String(perSecond).padStart(5)}/s  p50 ${p50Ms} ms  p99 ${p99Ms} ms  written ${written}  ` +
      `${good(failed, `failed ${failed}`)}  ${good(missed, `missed ${missed}`)}  ` +
      `${good(wrong, `wrong ${wrong}`)}${resent > 0 ? `  resent ${resent}` : ""}`,
  );
}

function stopAsked(seconds: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    process.on("SIGINT", () => resolve());
    process.on("SIGTERM", () => resolve());
    process.on("disconnect", () => resolve());
    if (seconds !== undefined) setTimeout(resolve, seconds * 1_000);
  });
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1_000_000) return value;
  console.error(`--${name} must be a whole number from 1 to 1000000, got "${text}".\n\n${usage}`);
  process.exit(1);
}
