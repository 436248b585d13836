import { type Coordinator, fleetKeys, type WatchedMap, watchedMap } from "tenfold/coordination";
import { parseMember } from "tenfold/discovery";
import { decodeTopology } from "tenfold/replication";
import { errorText, type Runtime } from "tenfold/runtime";
import { parseExposition } from "tenfold/telemetry";

import { instanceKey } from "./console-state.ts";
import type { FleetView } from "./fleet-view.ts";
import { fetchText } from "./http-fetch.ts";
import { memberSample } from "./member-sample.ts";
import { placementReader } from "./placement-reader.ts";
import { readSettings } from "./settings-reader.ts";
import type { SupervisorClient } from "./supervisor-client.ts";

export interface CollectorOptions {
  readonly fleet: string;
  readonly view: FleetView;
  readonly coordinator: Pick<Coordinator, "get" | "list" | "transact" | "watch">;
  readonly supervisor: SupervisorClient | undefined;
  readonly token: string;
  readonly runtime: Runtime;
  /** Called after every round, about once a second. */
  readonly onRound: () => void;
}

export interface Collector {
  /** Stops all loops and waits for them. Idempotent. */
  close(): Promise<void>;
}

export const collectorDefaults: {
  readonly everyMs: number;
  readonly scrapeTimeoutMs: number;
  readonly eventsEveryMs: number;
  readonly targetsMax: number;
} = Object.freeze({ everyMs: 1_000, scrapeTimeoutMs: 800, eventsEveryMs: 250, targetsMax: 500 });

/** Where an instance's metrics are. */
interface Target {
  readonly instance: string;
  readonly service: string;
  readonly pid: number;
  readonly url: string;
}

/** Feeds the view: metrics and supervisor every second, events and maps as they come. */
export function createCollector(options: CollectorOptions): Collector {
  const stop = new AbortController();
  const { coordinator, fleet, view, runtime } = options;
  const { signal } = stop;
  const settings = readSettings({ coordinator, fleet, runtime, signal, told: view.settings });
  const running = [roundLoop(options, signal), eventLoop(options, signal), settings];
  const maps = watchMaps(options, stop.signal);
  return {
    async close() {
      stop.abort();
      for (const map of maps) map.close();
      await Promise.all(running);
    },
  };
}

async function roundLoop(options: CollectorOptions, signal: AbortSignal): Promise<void> {
  const { clock } = options.runtime;
  while (!signal.aborted) {
    const began = clock.now();
    await Promise.all([askSupervisor(options, signal), askCoordinator(options, signal)]);
    const targets = scrapeTargets(options.view).slice(0, collectorDefaults.targetsMax);
    await Promise.all(targets.map((target) => scrape(options, target, signal)));
    options.view.figures.tick(clock.now(), clock.wallNow());
    options.onRound();
    const restMs = Math.max(0, collectorDefaults.everyMs - (clock.now() - began));
    await clock.sleep(restMs, { signal }).catch(() => {});
  }
}

async function askSupervisor(options: CollectorOptions, signal: AbortSignal): Promise<void> {
  const { supervisor, view, runtime } = options;
  if (supervisor === undefined) return view.supervisorFailed("is not configured");
  try {
    view.supervisorAnswered(await supervisor.state(signal), runtime.clock.now());
  } catch (error) {
    view.supervisorFailed(errorText(error));
  }
}

async function askCoordinator(options: CollectorOptions, signal: AbortSignal): Promise<void> {
  const { coordinator, view, runtime, fleet } = options;
  const timeoutMs = collectorDefaults.scrapeTimeoutMs;
  try {
    await coordinator.get(fleetKeys(fleet).members(), { signal, timeoutMs });
    view.coordinatorAnswered(runtime.clock.now());
  } catch (error) {
    view.coordinatorFailed(errorText(error));
  }
}

/** Every process that has an admin port; the supervisor knows a new pid before the members map. */
function scrapeTargets(view: FleetView): Target[] {
  const targets = new Map<string, Target>();
  for (const { id, service, pid, address, adminPort } of view.knownMembers) {
    if (adminPort === undefined || pid === undefined) continue;
    const url = `http://${address}:${adminPort}/metrics`;
    targets.set(instanceKey(service, id), { instance: id, service, pid, url });
  }
  for (const one of view.supervised?.instances ?? []) {
    const { name, service, pid, address = "127.0.0.1", adminPort } = one;
    if (typeof adminPort !== "number" || typeof pid !== "number") continue;
    const url = `http://${address}:${adminPort}/metrics`;
    targets.set(instanceKey(service, name), { instance: name, service, pid, url });
  }
  return [...targets.values()];
}

async function scrape(
  { view, token, runtime }: CollectorOptions,
  { url, ...source }: Target,
  signal: AbortSignal,
): Promise<void> {
  const timeoutMs = collectorDefaults.scrapeTimeoutMs;
  try {
    const text = await fetchText(url, { token, timeoutMs, signal });
    view.figures.scraped(source, memberSample(parseExposition(text)), runtime.clock.now());
  } catch (error) {
    // A dead instance cannot answer; the view shows that by the age of its figures.
    runtime.log.debug("no metrics", { instance: source.instance, error: errorText(error) });
  }
}

async function eventLoop(options: CollectorOptions, signal: AbortSignal): Promise<void> {
  const { supervisor, view, runtime } = options;
  let after = 0;
  while (supervisor !== undefined && !signal.aborted) {
    try {
      const events = await supervisor.events(after, signal);
      view.happened(events);
      if (events.length > 0) {
        // A restart may be over before the next round: show it as it happens.
        await askSupervisor(options, signal);
        options.onRound();
      }
      after = Math.max(after, ...events.map(({ sequence }) => sequence));
    } catch {
      // A supervisor that was away may have begun to count again.
      after = 0;
    }
    await runtime.clock.sleep(collectorDefaults.eventsEveryMs, { signal }).catch(() => {});
  }
}

function watchMaps(options: CollectorOptions, signal: AbortSignal): { close(): void }[] {
  const { coordinator, fleet, view, runtime } = options;
  const keys = fleetKeys(fleet);
  const watchOptions = { signal, runtime };
  const members = watchedMap(coordinator, keys.members(), parseMember, watchOptions);
  const topology = watchedMap(coordinator, keys.topology(), decodeTopology, watchOptions);
  const readPlacement = placementReader(runtime.log);
  const placement = watchedMap(coordinator, keys.placement(""), readPlacement, watchOptions);
  const follow = <Value>(map: WatchedMap<Value>, told: (map: ReadonlyMap<string, Value>) => void) =>
    void (async () => {
      for await (const current of map.watch()) told(current);
    })();
  follow(members, (all) => view.members([...all.values()]));
  follow(topology, (all) =>
    view.shards(
      [...all].map(([name, { epoch, primary, standbys }]) => {
        const [store = "", shard = ""] = name.split("/");
        return { store, shard, epoch, primary: primary.id, standbys: standbys.map(({ id }) => id) };
      }),
    ),
  );
  follow(placement, (all) =>
    view.placements([...all].map(([store, { slots, ranges }]) => ({ store, slots, ranges }))),
  );
  return [members, topology, placement];
}
