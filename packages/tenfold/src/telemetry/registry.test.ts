import { describe, expect, it } from "vitest";

import { exposition } from "./exposition.ts";
import { createRegistry } from "./registry.ts";

function manualClock(): { now(): number; ms: number } {
  return {
    ms: 1_000_000,
    now() {
      return this.ms;
    },
  };
}

describe("registry", () => {
  it("writes the exposition that Prometheus reads, in stable order", () => {
    const clock = manualClock();
    const metrics = createRegistry({ clock });
    const requests = metrics.counter({
      name: "requests_total",
      help: "Requests, by what\nthey were \\ asked.",
      labels: ["route", "status"],
    });
    requests.with({ route: "GET /b", status: "200" }).add();
    requests.with({ route: 'say "a\\b"\n', status: "500" }).add(2.5);
    const slow = metrics.histogram({ name: "wait_seconds", help: "Waits.", buckets: [0.1, 1] });
    for (const value of [0.1, 0.5, 3]) slow.observe(value);
    metrics.gauge({ name: "depth", help: "Depth." }).set(-3);
    expect(exposition(metrics.read())).toBe(
      [
        "# HELP depth Depth.",
        "# TYPE depth gauge",
        "depth -3",
        "# HELP requests_total Requests, by what\\nthey were \\\\ asked.",
        "# TYPE requests_total counter",
        'requests_total{route="say \\"a\\\\b\\"\\n",status="500"} 2.5',
        'requests_total{route="GET /b",status="200"} 1',
        "# HELP wait_seconds Waits.",
        "# TYPE wait_seconds histogram",
        'wait_seconds_bucket{le="0.1"} 1',
        'wait_seconds_bucket{le="1"} 2',
        'wait_seconds_bucket{le="+Inf"} 3',
        "wait_seconds_sum 3.6",
        "wait_seconds_count 3",
        "# HELP wait_seconds_max Greatest value of the last minute: Waits.",
        "# TYPE wait_seconds_max gauge",
        "wait_seconds_max 3",
        "",
      ].join("\n"),
    );
  });

  it("gives the same metric and the same series when asked again", () => {
    const metrics = createRegistry();
    const shape = { name: "calls_total", help: "Calls.", labels: ["to"] } as const;
    expect(metrics.counter(shape).with({ to: "a" })).toBe(metrics.counter(shape).with({ to: "a" }));
    const same = { name: "plain_total", help: "Plain." };
    expect(metrics.counter(same)).toBe(metrics.counter(same));
  });

  it("refuses the same name with another shape, and names that Prometheus refuses", () => {
    const metrics = createRegistry();
    metrics.counter({ name: "a_total", help: "A." });
    const conflict = expect.objectContaining({ code: "TENFOLD_TELEMETRY_METRIC_CONFLICT" });
    const invalid = expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" });
    expect(() => metrics.gauge({ name: "a_total", help: "A." })).toThrow(conflict);
    expect(() => metrics.counter({ name: "a_total", help: "A.", labels: ["x"] })).toThrow(conflict);
    expect(() => metrics.counter({ name: "a-b", help: "" })).toThrow(invalid);
    expect(() => metrics.counter({ name: "b", help: "", labels: ["__x"] })).toThrow(invalid);
    expect(() => metrics.histogram({ name: "c", help: "", labels: ["le"] })).toThrow(invalid);
    expect(() => metrics.histogram({ name: "d", help: "", buckets: [2, 1] })).toThrow(invalid);
  });

  it("folds what is over the limit into one series, and counts the folds", () => {
    const metrics = createRegistry({ seriesMax: 3 });
    const counter = metrics.counter({ name: "by_path_total", help: "Paths.", labels: ["path"] });
    for (let i = 0; i < 10; i++) counter.with({ path: `/${i}` }).add();
    const byName = new Map(metrics.read().map((family) => [family.name, family.samples]));
    expect(byName.get("by_path_total")).toHaveLength(3);
    const total = byName.get("by_path_total")?.reduce((sum, { value }) => sum + value, 0);
    expect(total).toBe(10);
    expect(byName.get("tenfold_telemetry_folded_total")?.[0]?.value).toBe(8);
  });

  it("tells label values apart that would read the same when joined", () => {
    const counter = createRegistry().counter({ name: "x_total", help: "X.", labels: ["a", "b"] });
    expect(counter.with({ a: "1,1:2", b: "3" })).not.toBe(counter.with({ a: "1", b: "2,1:3" }));
  });

  it("does not count what is no amount", () => {
    const metrics = createRegistry();
    const counter = metrics.counter({ name: "x_total", help: "X." });
    const wait = metrics.histogram({ name: "y_seconds", help: "Y.", buckets: [1] });
    for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY]) counter.add(value);
    wait.observe(Number.NaN);
    const values = metrics.read().flatMap(({ samples }) => samples.map(({ value }) => value));
    expect(values).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it("forgets a maximum after a minute, however often it is read", () => {
    const clock = manualClock();
    const metrics = createRegistry({ clock });
    const wait = metrics.histogram({ name: "wait_seconds", help: "Waits." });
    const max = (): number | undefined =>
      metrics.read().find(({ name }) => name === "wait_seconds_max")?.samples[0]?.value;
    wait.observe(9);
    wait.observe(2);
    clock.ms += 59_999;
    expect([max(), max()]).toEqual([9, 9]);
    wait.observe(1);
    clock.ms += 10_002;
    expect(max()).toBe(1);
    clock.ms += 1_000_000;
    expect(max()).toBe(0);
  });
});
