import type { SettingState } from "../../cli/src/console/console-state.ts";
import type { FleetView } from "../../cli/src/console/fleet-view.ts";
import { fleetView } from "../../cli/src/console/fleet-view.ts";
import type { SupervisedInstance } from "../../cli/src/console/instance-table.ts";
import type { MemberSample } from "../../cli/src/console/member-sample.ts";

/** What to show: everything well, one instance shot, or a big fleet on two hosts. */
export type Scenario = "well" | "shot" | "big" | "alone" | "fresh";

export const scenarios: readonly Scenario[] = ["well", "shot", "big", "alone", "fresh"];

export interface FakeFleet {
  readonly view: FleetView;
  /** Lets a second pass. */
  advance(): void;
  nowMs(): number;
  timeMs(): number;
}

interface FakeService {
  readonly name: string;
  readonly kind: string;
  readonly instances: number;
  readonly perSecond: number;
  readonly medianMs: number;
  readonly calls: Readonly<Record<string, number>>;
}

const bounds = [
  0.00032, 0.00056, 0.001, 0.0018, 0.0032, 0.0056, 0.01, 0.018, 0.032, 0.056, 0.1, 0.18, 0.32, 1,
];

/** A made-up fleet in the console's own state machine: what the page can be looked at with. */
export function fakeFleet(scenario: Scenario): FakeFleet {
  const services = servicesOf(scenario);
  const hosts = scenario === "big" ? ["a", "b"] : ["local"];
  const view = fleetView("posts", hosts[0] as string, {
    posts: ["queue-posts", "store/posts"],
    worker: ["store/posts", "queue-posts"],
  });
  const counters = new Map<string, Map<string, number>>();
  const startedMs = Date.now() - (scenario === "fresh" ? 3_000 : 3_912_000);
  let second = 0;
  const ticks = scenario === "fresh" ? 2 : 600;
  const begin = Date.now() - ticks * 1_000;

  const advance = (): void => {
    second++;
    const wave = 1 + 0.25 * Math.sin(second / 40) + 0.06 * Math.sin(second * 1.7);
    for (const service of services) {
      for (let index = 1; index <= service.instances; index++) {
        const instance = instanceName(service, index);
        if (scenario === "shot" && instance === "posts-2" && second > ticks - 2) continue;
        if (scenario === "shot" && instance === "scrap-1" && second > ticks - 8) continue;
        const sample = fakeSample(service, counters, instance, wave);
        view.figures.scraped(
          { instance, service: service.name, pid: 4_000 },
          sample,
          second * 1_000,
        );
      }
    }
    view.figures.tick(second * 1_000, begin + second * 1_000);
    if (scenario !== "alone" || second < ticks - 47) {
      view.supervisorAnswered(supervisorState(scenario, services, startedMs), second * 1_000);
      view.coordinatorAnswered(second * 1_000);
    }
  };

  view.members(
    services.flatMap((service) =>
      Array.from({ length: service.instances }, (_, index) => ({
        id: instanceName(service, index + 1),
        service: service.name,
        host: hosts[index % hosts.length] as string,
        address: "127.0.0.1",
        port: portOf(service, services, index),
        adminPort: 18_900,
        pid: 4_000,
        version: "0.1.0",
        zone: hosts.length > 1 ? `z${(index % hosts.length) + 1}` : "local",
        protocol: "http" as const,
        weight: service.name === "scrap" && index === 1 ? 0.25 : 1,
        load: {
          utilisation: Math.min(0.97, service.perSecond / 400 + index * 0.07),
          requests: Math.round((service.perSecond * service.medianMs) / 900),
        },
        startedAtMs: startedMs,
      })),
    ),
  );
  const shards = scenario === "big" ? 4 : 2;
  view.shards(
    Array.from({ length: shards }, (_, shard) => ({
      store: "posts",
      shard: `posts-${shard}`,
      epoch: 1,
      primary: `pg-posts-${shard}-1`,
      standbys: [`pg-posts-${shard}-2`, `pg-posts-${shard}-3`],
    })),
  );
  view.placements([{ store: "posts", slots: 1_024, ranges: slotRanges(shards) }]);
  view.settings(fakeSettings(begin + ticks * 1_000));
  for (let i = 0; i < ticks; i++) advance();
  view.happened(fakeEvents(scenario, begin + ticks * 1_000));
  if (scenario === "alone") {
    view.supervisorFailed("127.0.0.1:18000/v1/state: ECONNREFUSED");
    view.coordinatorFailed("no server answered within 800 ms");
  }
  return { view, advance, nowMs: () => second * 1_000, timeMs: () => begin + second * 1_000 };
}

function servicesOf(scenario: Scenario): readonly FakeService[] {
  const big = scenario === "big";
  const service = (
    name: string,
    instances: number,
    perSecond: number,
    medianMs: number,
    calls: Readonly<Record<string, number>> = {},
    kind = "service",
  ): FakeService => ({ name, kind, instances, perSecond, medianMs, calls });
  return [
    service("coordinator", 1, 0, 1, {}, "coordinator"),
    service("gateway", 1, 204, 4, { posts: 188, geoip: 11, guid: 5 }, "gateway"),
    service("console", 1, 0, 1, {}, "console"),
    service("posts", big ? 8 : 3, 188, 3, { guid: 41, scrap: 12, "queue-posts": 190 }),
    service("guid", 2, 46, 0.6),
    service("scrap", 2, 12, 9, { pages: 10 }),
    service("geoip", 1, 11, 0.5),
    service("pages", 1, 10, 1),
    ...(big
      ? [
          service("timeline", 4, 320, 2, { posts: 40 }),
          service("search", 3, 61, 12),
          service("notify", 2, 9, 5),
          service("images", 2, 77, 20),
        ]
      : []),
    service("queue-posts", 1, 232, 1.4, {}, "queue"),
    service("worker", big ? 4 : 2, 41, 4, { "queue-posts": 42 }),
  ];
}

function instanceName({ name, kind }: FakeService, index: number): string {
  return kind === "service" ? `${name}-${index}` : name;
}

function portOf(service: FakeService, services: readonly FakeService[], index: number): number {
  if (service.kind === "gateway") return 8_080;
  if (service.kind === "console") return 8_090;
  return 18_001 + services.indexOf(service) * 20 + index * 2;
}

function fakeSample(
  service: FakeService,
  counters: Map<string, Map<string, number>>,
  instance: string,
  wave: number,
): MemberSample {
  const mine = counters.get(instance) ?? new Map<string, number>();
  counters.set(instance, mine);
  const add = (name: string, value: number): void => {
    mine.set(name, (mine.get(name) ?? 0) + value);
  };
  const rate = (service.perSecond / service.instances) * wave;
  add("requests", Math.round(rate));
  add("failures", 0);
  add("cpuSeconds", 0.01 + rate * 0.0009);
  if (service.name === "worker") add("jobs", Math.round(rate));
  if (service.kind === "gateway") add("failed", 0);
  for (const [to, calls] of Object.entries(service.calls)) {
    add(`calls:${to}`, Math.round((calls / service.instances) * wave));
  }
  for (const bound of [...bounds, Number.POSITIVE_INFINITY]) {
    // A log-logistic spread: half of the calls below the median, a long tail above.
    const share = 1 / (1 + ((service.medianMs * wave) / (bound * 1_000)) ** 2.4);
    add(`bucket:${bound}`, rate * share);
  }
  const queue = service.kind === "queue";
  const accepted = (mine.get("accepted") ?? 90_000) + (queue ? Math.round(41 * wave) : 0);
  mine.set("accepted", accepted);
  return {
    bornSeconds: 1,
    serves: service.perSecond > 0 && service.name !== "worker",
    counters: new Map([...mine].filter(([name]) => name !== "accepted")),
    durableCounters: queue
      ? new Map([
          ["accepted", accepted],
          ["done", accepted - 7],
        ])
      : new Map(),
    slowestMs: service.medianMs * 17 * wave,
    memoryBytes: (52 + 3 * service.name.length) * 1_048_576,
    eventLoopMs: 1.2 * wave,
    queue: queue
      ? {
          accepted,
          done: accepted - 7,
          ready: 3,
          leased: 4,
          delayed: 0,
          dead: 0,
          oldestSeconds: 0.21,
        }
      : undefined,
    audit: instance === "worker-1" ? { checked: accepted - 90_000, missing: 0 } : undefined,
  };
}

function supervisorState(
  scenario: Scenario,
  services: readonly FakeService[],
  startedAtMs: number,
) {
  const shards = scenario === "big" ? 4 : 2;
  const own = services.flatMap((service) =>
    Array.from({ length: service.instances }, (_, index): SupervisedInstance => {
      const name = instanceName(service, index + 1);
      const dead = scenario === "shot" && name === "posts-2";
      const again = scenario === "shot" && name === "worker-2";
      return {
        name,
        service: service.name,
        kind: service.kind,
        state: dead ? "backoff" : again ? "starting" : "ready",
        ...(dead ? {} : { pid: 4_000 + index }),
        port: portOf(service, services, index),
        adminPort: 18_900,
        restarts: dead || again ? 1 : 0,
        startedAtMs,
        readyAtMs: startedAtMs,
        ...(dead || again ? { lastExit: "SIGKILL" } : {}),
      };
    }),
  );
  const databases = Array.from({ length: shards * 3 }, (_, index): SupervisedInstance => {
    const name = `pg-posts-${Math.floor(index / 3)}-${(index % 3) + 1}`;
    const state = scenario === "fresh" && index % 3 > 0 ? "starting" : "ready";
    return {
      name,
      service: "posts",
      kind: "postgres",
      state,
      pid: 5_000 + index,
      port: 18_500 + index,
      restarts: 0,
      startedAtMs,
    };
  });
  const host = scenario === "big" ? "a" : "local";
  return { fleet: "posts", host, instances: [...own, ...databases] };
}

function slotRanges(shards: number) {
  const each = 1_024 / shards;
  return Array.from({ length: shards }, (_, shard) => ({
    first: shard * each,
    last: (shard + 1) * each - 1,
    shard: `posts-${shard}`,
  }));
}

function fakeSettings(nowMs: number): readonly SettingState[] {
  const change = (number: number, value: string, by: string, minutes: number, why: string) => ({
    number,
    value,
    by,
    atMs: nowMs - minutes * 60_000,
    why,
  });
  return [
    {
      name: "posts.previews",
      description: "Fetch a preview of the URL in a post.",
      value: "off",
      problem: undefined,
      changes: [
        change(3, "off", "mina", 4, "the page server is slow"),
        change(2, "on", "jun", 1_500, ""),
      ],
    },
    {
      name: "posts.page_size",
      description: "How many posts a page holds when the caller does not say.",
      value: "20",
      problem: undefined,
      changes: [],
    },
    {
      name: "worker.batch",
      description: undefined,
      value: "many",
      problem: "it must be a whole number from 1 to 500",
      changes: [change(1, "many", "put by hand", 90, "")],
    },
  ];
}

function fakeEvents(scenario: Scenario, nowMs: number) {
  const told: (readonly [number, string, string, string])[] = [
    [3_900, "coordinator", "ready", "ready after 180 ms"],
    [3_890, "pg-posts-0-1", "ready", "ready after 1640 ms"],
    [3_889, "posts-1", "ready", "ready after 412 ms"],
    [3_889, "gateway", "ready", "ready after 240 ms"],
  ];
  if (scenario === "shot") {
    told.push(
      [4, "worker-2", "backoff", "ended: SIGKILL"],
      [2, "worker-2", "starting", "starting again"],
      [1, "posts-2", "backoff", "ended: SIGKILL"],
    );
  }
  return told.map(([secondsAgo, instance, kind, message], index) => ({
    sequence: index + 1,
    timeMs: nowMs - secondsAgo * 1_000,
    instance,
    kind,
    message,
    unexpected: kind === "backoff",
  }));
}
