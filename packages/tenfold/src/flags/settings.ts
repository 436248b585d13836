import { backOff } from "../coordination/back-off.ts";
import type { Change, Coordinator } from "../coordination/coordinator.ts";
import type { KeptSession } from "../coordination/kept-session.ts";
import { fleetKeys } from "../coordination/keys.ts";
import type { MapDisk } from "../coordination/map-file.ts";
import { type Notice, notice } from "../coordination/notice.ts";
import { type MapSource, watchedMap } from "../coordination/watched-map.ts";
import { errorText } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { SettingDefinitions, SettingValues } from "./setting-definition.ts";
import { formatDefinition } from "./setting-json.ts";
import { type SettingState, settingsState } from "./settings-state.ts";

export interface SettingsOptions<Definitions extends SettingDefinitions> {
  readonly coordinator: Pick<Coordinator, "list" | "transact" | "watch">;
  readonly fleet: string;
  /** From `defineSettings`. What other programs of the fleet define does not matter here. */
  readonly definitions: Definitions;
  /** Keeps what is set on disk, for a start while the coordinator is gone. */
  readonly disk?: MapDisk | undefined;
  readonly session?: Pick<KeptSession, "onOpen"> | undefined;
  readonly runtime?: Partial<Runtime>;
}

export const settingsDefaults: { readonly settleMs: number } = Object.freeze({
  /** A little longer than a map waits before it begins from disk. */
  settleMs: 1_500,
});

/** Values that may change while the process runs. */
export interface Settings<Definitions extends SettingDefinitions> {
  /** By name. Replaced, never changed: hold on to it for one decision. Never fails. */
  readonly current: SettingValues<Definitions>;
  /** Why a setting is as it is. @throws RangeError for a name that is not defined */
  explain(name: keyof Definitions & string): SettingState;
  readonly source: MapSource;
  /** Milliseconds since a change was last heard of; undefined while only defaults are known. */
  readonly ageMs: number | undefined;
  /**
   * Resolves when the settings are known, by the coordinator or the disk, or when neither was there
   * within `settingsDefaults.settleMs`: then defaults apply until one is. Never rejects.
   */
  readonly settled: Promise<void>;
  /** All values, the current ones first (once they are settled), then after every change. */
  watch(options?: {
    readonly signal?: AbortSignal | undefined;
  }): AsyncIterable<SettingValues<Definitions>>;
  /** Stops watching; `current` stays. Idempotent, never throws. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Follows the fleet's settings, and tells the fleet which there are, so that whoever changes one
 * can be stopped before a mistake. What is set wrongly all the same is logged and not heeded: the
 * last good value stays.
 */
export function createSettings<Definitions extends SettingDefinitions>(
  options: SettingsOptions<Definitions>,
): Settings<Definitions> {
  const { coordinator, definitions, disk, session } = options;
  const runtime = runtimeWith(options.runtime);
  const { clock, log } = runtime;
  const keys = fleetKeys(options.fleet);
  const stop = new AbortController();
  const state = settingsState(definitions);
  const readers = new Set<Notice>();
  const take = (entries: ReadonlyMap<string, string>): void => {
    for (const [name, problem] of state.take(entries)) {
      log.error("a setting is set wrongly and not heeded", { setting: name, problem });
    }
    for (const reader of readers) reader.notify();
  };
  const map = watchedMap(coordinator, keys.settings(), String, {
    ...{ disk, session, runtime },
    signal: stop.signal,
    onChange: take,
  });
  const settle = async (): Promise<void> => {
    const late = new AbortController();
    const waiting = clock.sleep(settingsDefaults.settleMs, { signal: late.signal });
    await Promise.race([map.ready, waiting]).catch(() => {});
    late.abort();
  };
  const settled = settle();
  const publishing = publish(options, runtime, stop.signal);
  return {
    get current() {
      return state.current;
    },
    explain: (name) => state.explain(name),
    get source() {
      return map.source;
    },
    get ageMs() {
      return map.ageMs;
    },
    settled,
    async *watch({ signal } = {}) {
      const until = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
      const changed = notice();
      readers.add(changed);
      try {
        await settled;
        let last: SettingValues<Definitions> | undefined;
        let isOn = !until.aborted;
        while (isOn) {
          if (state.current !== last) {
            last = state.current;
            yield last;
          }
          isOn = await changed.wait(until);
        }
      } finally {
        changed.close();
        readers.delete(changed);
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };

  async function close(): Promise<void> {
    stop.abort();
    await publishing;
  }
}

/** Writes the definitions that are not there yet or say something else; goes on until it did. */
async function publish<Definitions extends SettingDefinitions>(
  { coordinator, fleet, definitions }: SettingsOptions<Definitions>,
  { clock, random, log }: Runtime,
  signal: AbortSignal,
): Promise<void> {
  const prefix = fleetKeys(fleet).settingDefinitions();
  const pause = backOff(random);
  while (!signal.aborted) {
    try {
      const { entries } = await coordinator.list(prefix, { signal });
      const known = new Map(entries.map(({ key, value }) => [key, value]));
      const change: Change[] = [];
      for (const [name, definition] of Object.entries(definitions)) {
        const [key, value] = [`${prefix}${name}`, formatDefinition(definition)];
        if (known.get(key) !== value) change.push({ put: key, value });
      }
      if (change.length === 0) return;
      const { outcome } = await coordinator.transact({ change }, { signal });
      if (outcome === "applied") return;
    } catch (error) {
      if (!signal.aborted) log.warn("publishing settings failed", { reason: errorText(error) });
    }
    await clock.sleep(pause.next(), { signal }).catch(() => {});
  }
}
