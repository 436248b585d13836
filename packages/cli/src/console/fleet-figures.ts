import { clientTotals, type GatewayReading, type SavedTotals } from "./client-totals.ts";
import {
  type HistoryPoint,
  instanceKey,
  type Latency,
  type Link,
  type QueueState,
  type Totals,
} from "./console-state.ts";
import { counterLedger } from "./counter-ledger.ts";
import { callsPrefix, type MemberSample } from "./member-sample.ts";
import { type RateWindow, rateWindow } from "./rate-window.ts";

/** Whose metrics they are. */
export interface SampleSource {
  readonly instance: string;
  readonly service: string;
  readonly pid: number;
}

/** The newest metrics of an instance, and its growth around now. */
export interface InstanceFigures {
  readonly service: string;
  readonly sample: MemberSample;
  /** When they were read, on the clock that `scraped` and `tick` are given. */
  readonly scrapedMs: number;
  readonly window: RateWindow;
}

export interface ServiceFigures extends Latency {
  /** undefined when no instance measures calls. */
  readonly perSecond: number | undefined;
  readonly failuresPerSecond: number | undefined;
}

/** What all scrapes together say about the fleet. Fed with time; reads no clock. */
export interface FleetFigures {
  scraped(source: SampleSource, sample: MemberSample, nowMs: number): void;
  /** Closes a tick, about once a second. @param timeMs wall clock, for the history */
  tick(nowMs: number, timeMs: number): void;
  instance(service: string, name: string): InstanceFigures | undefined;
  service(name: string): ServiceFigures;
  totals(): Totals;
  savedTotals(): SavedTotals;
  queues(): readonly QueueState[];
  /** Measured calls from service to service. */
  links(): readonly Link[];
  /** Oldest first. */
  readonly history: readonly HistoryPoint[];
}

export const fleetFiguresDefaults: {
  readonly historyPointsMax: number;
  readonly instancesMax: number;
  readonly freshForMs: number;
  readonly keepForMs: number;
} = Object.freeze({
  /** Ten minutes of seconds. */
  historyPointsMax: 600,
  instancesMax: 1_000,
  /** A gauge counts this long after it was read. */
  freshForMs: 5_000,
  /** An instance that went away is forgotten after this long. */
  keepForMs: 600_000,
});

const gateway = "gateway";

/** @param saved what an earlier process of the console had counted in this run of the fleet */
export function fleetFigures(saved?: SavedTotals): FleetFigures {
  const ledger = counterLedger(fleetFiguresDefaults.instancesMax);
  const instances = new Map<string, InstanceFigures>();
  const services = new Map<string, RateWindow>();
  const history: HistoryPoint[] = [];
  const clients = clientTotals(saved);
  let nowMs = 0;

  const fresh = (): InstanceFigures[] =>
    [...instances.values()].filter(
      ({ scrapedMs }) => nowMs - scrapedMs <= fleetFiguresDefaults.freshForMs,
    );
  const service = (name: string): ServiceFigures =>
    serviceFigures(
      services.get(name),
      fresh().filter((figures) => figures.service === name),
    );

  return {
    history,
    service,
    instance: (of, name) => instances.get(instanceKey(of, name)),
    scraped(source, sample, scrapedMs) {
      const key = instanceKey(source.service, source.instance);
      const known = instances.get(key);
      if (known === undefined && instances.size >= fleetFiguresDefaults.instancesMax) return;
      const window = known?.window ?? rateWindow();
      instances.set(key, { service: source.service, sample, scrapedMs, window });
      const ofService = services.get(source.service) ?? rateWindow();
      services.set(source.service, ofService);
      const growth = [
        ledger.read(key, incarnation(source, sample), sample.counters),
        // What survives its process must not look new after a restart.
        ledger.read(`${key} durable`, "", sample.durableCounters),
      ];
      if (source.service === gateway) clients.read(gatewayReading(source, sample));
      for (const { initial, grown } of growth) {
        if (initial) continue;
        window.add(grown);
        ofService.add(grown);
      }
    },
    tick(tickMs, timeMs) {
      const elapsedMs = nowMs === 0 ? 0 : tickMs - nowMs;
      nowMs = tickMs;
      for (const { window } of instances.values()) window.tick(elapsedMs);
      for (const window of services.values()) window.tick(elapsedMs);
      forgetOld(instances, tickMs - fleetFiguresDefaults.keepForMs);
      const { perSecond = 0, failuresPerSecond = 0, ...latency } = service(gateway);
      history.push({ timeMs, perSecond, failuresPerSecond, ...latency });
      if (history.length > fleetFiguresDefaults.historyPointsMax) history.shift();
    },
    totals() {
      const { perSecond = 0, failuresPerSecond: _, ...latency } = service(gateway);
      const audits = fresh().flatMap(({ sample }) => sample.audit ?? []);
      const audit = audits.length === 0 ? undefined : audits;
      return {
        requests: clients.requests,
        failed: clients.failed,
        ...latency,
        perSecond,
        lost: audit?.reduce((sum, { missing }) => sum + missing, 0),
        audited: audit?.reduce((sum, { checked }) => sum + checked, 0),
      };
    },
    savedTotals: () => clients.save(),
    queues: () => [...instances.values()].flatMap(queueState),
    links: () => [...services].flatMap(([from, window]) => linksOf(from, window)),
  };
}

/** A pid may come again; pid and time of birth do not. */
function incarnation({ pid }: SampleSource, { bornSeconds }: MemberSample): string {
  return `${pid} ${bornSeconds}`;
}

function gatewayReading(source: SampleSource, sample: MemberSample): GatewayReading {
  const { counters } = sample;
  return {
    instance: source.instance,
    incarnation: incarnation(source, sample),
    requests: counters.get("requests") ?? 0,
    failed: counters.get("failed") ?? 0,
  };
}

function serviceFigures(
  window: RateWindow | undefined,
  fresh: readonly InstanceFigures[],
): ServiceFigures {
  const serves = fresh.some(({ sample }) => sample.serves);
  const slowest = fresh.flatMap(({ sample }) => sample.slowestMs ?? []);
  return {
    perSecond: serves ? window?.perSecond("requests") : undefined,
    failuresPerSecond: serves ? window?.perSecond("failures") : undefined,
    p50Ms: window?.quantileMs(0.5),
    p99Ms: window?.quantileMs(0.99),
    maxMs: slowest.length === 0 ? undefined : Math.max(...slowest),
  };
}

function queueState({ service, sample, window }: InstanceFigures): QueueState[] {
  if (sample.queue === undefined) return [];
  return [
    {
      service,
      ...sample.queue,
      acceptedPerSecond: window.perSecond("accepted"),
      donePerSecond: window.perSecond("done"),
    },
  ];
}

function linksOf(from: string, window: RateWindow): Link[] {
  return [...window.names()]
    .filter((name) => name.startsWith(callsPrefix))
    .map((name) => ({
      from,
      to: name.slice(callsPrefix.length),
      perSecond: window.perSecond(name),
    }));
}

function forgetOld(instances: Map<string, InstanceFigures>, beforeMs: number): void {
  for (const [name, { scrapedMs }] of instances) if (scrapedMs < beforeMs) instances.delete(name);
}
