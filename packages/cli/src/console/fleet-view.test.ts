import type { Member } from "tenfold/discovery";
import { createRegistry, exposition, parseExposition } from "tenfold/telemetry";
import { describe, expect, test } from "vitest";

import { fleetView, type SupervisorState } from "./fleet-view.ts";
import type { SupervisedInstance } from "./instance-table.ts";
import { memberSample } from "./member-sample.ts";

const instance = (name: string, more: Partial<SupervisedInstance> = {}): SupervisedInstance => ({
  name,
  service: name.replace(/-\d+$/, ""),
  kind: "service",
  state: "ready",
  pid: 100,
  port: 18_001,
  adminPort: 18_002,
  restarts: 0,
  startedAtMs: 1_000,
  readyAtMs: 1_000,
  ...more,
});

const supervisorState = (...instances: SupervisedInstance[]): SupervisorState => ({
  fleet: "posts",
  host: "local",
  instances,
});

const member = (id: string): Member => ({
  id,
  service: id.replace(/-\d+$/, ""),
  host: "b",
  address: "127.0.0.1",
  port: 1,
  adminPort: 2,
  pid: 100,
  version: "0.1.0",
  zone: "z",
  protocol: "http",
  weight: 1,
  startedAtMs: 0,
});

const sampleOf = (text: string) => memberSample(parseExposition(text));

/** A gateway's metrics as its own registry writes them. */
function gateway() {
  const registry = createRegistry();
  const requests = registry.counter({
    name: "tenfold_gateway_requests_total",
    help: "x",
    labels: ["route", "method", "status"],
  });
  const failed = registry.counter({ name: "tenfold_gateway_failed_total", help: "x" });
  const duration = registry.histogram({
    name: "tenfold_gateway_request_duration_seconds",
    help: "x",
    labels: ["route"],
  });
  return {
    answer(count: number, seconds: number) {
      requests.with({ route: "/", method: "GET", status: "2xx" }).add(count);
      for (let i = 0; i < count; i++) duration.with({ route: "/" }).observe(seconds);
    },
    fail(count: number) {
      requests.with({ route: "/", method: "GET", status: "5xx" }).add(count);
      failed.add(count);
    },
    sample: () => sampleOf(exposition(registry.read())),
  };
}

describe("totals", () => {
  const source = { instance: "gateway", service: "gateway", pid: 1 };

  test("rates, quantiles and counters come from what the gateway's registry writes", () => {
    const { figures } = fleetView("posts", "local");
    const one = gateway();
    figures.scraped(source, one.sample(), 0);
    figures.tick(1, 1);
    for (let second = 1; second <= 5; second++) {
      one.answer(100, 0.004);
      figures.scraped(source, one.sample(), second * 1_000);
      figures.tick(1 + second * 1_000, second * 1_000);
    }
    const totals = figures.totals();
    expect(totals.perSecond).toBeCloseTo(100, 0);
    expect(totals.requests).toBe(500);
    expect(totals.p50Ms).toBeGreaterThan(3.2);
    expect(totals.p50Ms).toBeLessThan(5.6);
    expect(totals.maxMs).toBeCloseTo(4);
    expect(figures.history).toHaveLength(6);
  });

  test("failed never goes back: not when the gateway restarts, not when it is away", () => {
    const { figures } = fleetView("posts", "local");
    const one = gateway();
    one.fail(3);
    figures.scraped(source, one.sample(), 0);
    expect(figures.totals().failed).toBe(3);
    const reborn = gateway();
    figures.scraped({ ...source, pid: 2 }, reborn.sample(), 1_000);
    expect(figures.totals().failed).toBe(3);
    reborn.fail(2);
    figures.scraped({ ...source, pid: 2 }, reborn.sample(), 2_000);
    for (let second = 3; second < 60; second++) figures.tick(second * 1_000, second * 1_000);
    expect(figures.totals().failed).toBe(5);
    expect(figures.totals().perSecond).toBe(0);
  });

  test("what a gateway counted before the console came is no burst", () => {
    const { figures } = fleetView("posts", "local");
    const one = gateway();
    one.answer(10_000, 0.001);
    figures.scraped(source, one.sample(), 1_000);
    figures.tick(1_000, 1_000);
    figures.tick(2_000, 2_000);
    expect(figures.totals()).toMatchObject({ requests: 10_000, perSecond: 0 });
  });

  test("lost is unknown until an audit reports, and unknown again when none does", () => {
    const { figures } = fleetView("posts", "local");
    expect(figures.totals().lost).toBeUndefined();
    const audit = sampleOf("tenfold_audit_checked_total 70\ntenfold_audit_missing 2\n");
    figures.scraped({ instance: "worker-1", service: "worker", pid: 1 }, audit, 1_000);
    figures.tick(1_000, 1_000);
    expect(figures.totals()).toMatchObject({ lost: 2, audited: 70 });
    figures.tick(9_000, 9_000);
    expect(figures.totals().lost).toBeUndefined();
  });

  test("the queue's durable counts do not look new when its owner restarts", () => {
    const { figures } = fleetView("posts", "local");
    const queue = { instance: "queue-posts", service: "queue-posts", pid: 1 };
    figures.scraped(queue, sampleOf("tenfold_queue_accepted 5000\ntenfold_queue_done 4990\n"), 0);
    figures.tick(1, 1);
    const after = sampleOf("tenfold_queue_accepted 5010\ntenfold_queue_done 5000\n");
    figures.scraped({ ...queue, pid: 2 }, after, 1_000);
    figures.tick(1_001, 1_001);
    expect(figures.queues()[0]).toMatchObject({ acceptedPerSecond: 10, donePerSecond: 10 });
  });
});

describe("instances", () => {
  const now = 20_000;
  const stateOf = (view: ReturnType<typeof fleetView>) => view.state(now, now);
  const up = sampleOf("process_start_time_seconds 1\n");
  const scrape = (view: ReturnType<typeof fleetView>, name: string, at: number) =>
    view.figures.scraped({ instance: name, service: "posts", pid: 100 }, up, at);

  test("the supervisor's word counts while it answers", () => {
    const view = fleetView("posts", "local");
    const dead = instance("posts-2", { state: "backoff", pid: null, lastExit: "SIGKILL" });
    view.supervisorAnswered(supervisorState(instance("posts-1"), dead), now);
    scrape(view, "posts-1", now);
    const { instances, services } = stateOf(view);
    expect(instances.map(({ status }) => status)).toEqual(["ready", "backoff"]);
    expect(instances.map(({ killable }) => killable)).toEqual([true, false]);
    expect(services[0]).toMatchObject({ ready: 1, total: 2, restartable: true });
  });

  test("who is said to be ready and has fallen silent is shown so", () => {
    const view = fleetView("posts", "local");
    view.supervisorAnswered(supervisorState(instance("posts-1")), now);
    scrape(view, "posts-1", now - 4_000);
    expect(stateOf(view).instances[0]?.status).toBe("silent");
    scrape(view, "posts-1", now - 1_000);
    expect(stateOf(view).instances[0]?.status).toBe("ready");
  });

  test("without the supervisor its last word stays, with its age, and metrics know better", () => {
    const view = fleetView("posts", "local");
    const database = instance("pg-posts-0-1", { kind: "postgres", adminPort: null });
    view.supervisorAnswered(
      supervisorState(instance("posts-1", { state: "starting" }), database),
      now - 9_000,
    );
    view.supervisorFailed("ECONNREFUSED");
    scrape(view, "posts-1", now);
    const { instances, sources } = stateOf(view);
    expect(sources.supervisor).toEqual({
      reachable: false,
      ageMs: 9_000,
      problem: "ECONNREFUSED",
    });
    expect(instances.map(({ status }) => status)).toEqual(["ready", "ready"]);
    expect(instances.every(({ killable }) => !killable)).toBe(true);
  });

  test("a member that this supervisor does not run is there too, and cannot be killed", () => {
    const view = fleetView("posts", "a");
    view.supervisorAnswered(supervisorState(instance("posts-1")), now);
    view.members([member("posts-1"), member("posts-9")]);
    scrape(view, "posts-9", now);
    const { instances } = stateOf(view);
    expect(instances.map(({ name, killable }) => [name, killable])).toEqual([
      ["posts-1", true],
      ["posts-9", false],
    ]);
    expect(instances[1]).toMatchObject({ host: "b", status: "ready" });
  });

  test("instances of one name stay apart when their services are two", () => {
    const view = fleetView("posts", "local");
    view.supervisorAnswered(supervisorState(instance("one", { service: "posts" })), now);
    view.members([
      { ...member("one"), service: "posts", version: "7" },
      { ...member("one"), service: "billing", version: "8" },
    ]);
    view.figures.scraped({ instance: "one", service: "billing", pid: 100 }, up, now);
    const seen = stateOf(view).instances.map(({ service, version, status }) => [
      service,
      version,
      status,
    ]);
    expect(seen).toEqual([
      ["posts", "7", "ready"],
      ["billing", "8", "ready"],
    ]);
    expect(view.figures.instance("posts", "one")).toBeUndefined();
  });

  test("a store and a service of one name stay apart", () => {
    const view = fleetView("posts", "local");
    const database = instance("pg-posts-0-1", { service: "posts", kind: "postgres" });
    view.supervisorAnswered(supervisorState(instance("posts-1"), database), now);
    expect(stateOf(view).services.map(({ name }) => name)).toEqual(["posts", "store/posts"]);
  });
});

describe("what is new", () => {
  test("a stream gets only the history and the events since it last heard", () => {
    const view = fleetView("posts", "local");
    view.figures.tick(1, 1_000);
    view.happened([{ sequence: 1, timeMs: 5, kind: "ready", message: "ready" }]);
    view.figures.tick(2, 2_000);
    view.happened([{ sequence: 2, timeMs: 6, kind: "ready", message: "ready" }]);
    const { history, events } = view.state(3, 3_000, { newerThanMs: 1_000, afterEvent: 1 });
    expect(history.map(({ timeMs }) => timeMs)).toEqual([2_000]);
    expect(events.map(({ number }) => number)).toEqual([2]);
  });

  test("a supervisor that begins to count anew brings new events, repeated ones are dropped", () => {
    const view = fleetView("posts", "local");
    const first = { sequence: 1, timeMs: 5, kind: "ready", message: "first life" };
    const second = { sequence: 1, timeMs: 90, kind: "ready", message: "second life" };
    view.happened([first]);
    view.happened([first, second]);
    expect(view.state(0, 0).events.map(({ message }) => message)).toEqual([
      "first life",
      "second life",
    ]);
  });

  test("links that are measured replace those that the fleet file knows", () => {
    const view = fleetView("posts", "local", { posts: ["queue-posts", "store/posts"] });
    const calls = (n: number) =>
      sampleOf(`tenfold_discovery_tries_total{service="queue-posts",outcome="answered"} ${n}\n`);
    const source = { instance: "posts-1", service: "posts", pid: 1 };
    view.figures.scraped(source, calls(5), 0);
    view.figures.tick(1, 1);
    view.figures.scraped(source, calls(25), 1_000);
    view.figures.tick(1_001, 1_001);
    expect(view.state(0, 0).links).toEqual([
      { from: "posts", to: "queue-posts", perSecond: 20 },
      { from: "posts", to: "store/posts", perSecond: undefined },
    ]);
  });
});

test("a host that is away is told, and what it should run is silent there", () => {
  const view = fleetView("posts", "a");
  const hosts = [
    { name: "a", zone: "z1", state: "up" },
    { name: "b", zone: "z2", state: "away" },
  ] as const;
  const away = instance("posts-2", { state: "away", host: "b", pid: null });
  view.supervisorAnswered({ ...supervisorState(instance("posts-1"), away), hosts }, 0);
  const { hosts: shown, instances } = view.state(0, 0);
  expect(shown).toEqual(hosts);
  const where = instances.map(({ name, host, status, killable }) => [name, host, status, killable]);
  expect(where).toContainEqual(["posts-2", "b", "silent", false]);
});
