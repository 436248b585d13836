import { errorCodes } from "../runtime/error-codes.ts";
import { errorText, TenfoldError } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { backOff, backOffDefaults } from "./back-off.ts";
import type { Coordinator, Entry, Revision, WatchBatch } from "./coordinator.ts";
import { tokenGeneration } from "./fencing-token.ts";
import { generationKey, parseGeneration } from "./generation.ts";
import { type HeldValues, heldValues } from "./held-values.ts";
import { insist } from "./insist.ts";
import type { KeptSession } from "./kept-session.ts";
import { type MapDisk, mapFile, type SavedMap } from "./map-file.ts";
import { type MapSaver, mapSaver } from "./map-saver.ts";
import { type Notice, notice } from "./notice.ts";
import { type RemovalRules, removalGuard } from "./removal-guard.ts";

export interface WatchedMapOptions {
  readonly signal?: AbortSignal | undefined;
  /** Keeps the map on disk; a process that starts while the coordinator is gone begins with it. */
  readonly disk?: MapDisk | undefined;
  /** The process's own: when it was lost, others were, and what vanishes then is not believed. */
  readonly session?: Pick<KeptSession, "onOpen"> | undefined;
  readonly removals?: Partial<RemovalRules>;
  /**
   * Called in the same turn whenever the map changed, with the texts as the coordinator has them:
   * sooner and cheaper than a reader of `watch`. It must not throw, nor keep what it is given.
   */
  readonly onChange?: (values: ReadonlyMap<string, string>) => void;
  readonly runtime?: Partial<Runtime>;
}

export const watchedMapDefaults: { readonly diskAfterMs: number } = Object.freeze({
  /** A coordinator that has not answered for so long after the start is gone. */
  diskAfterMs: 1_000,
});

/** Where a map was last heard of. */
export type MapSource = "nowhere" | "disk" | "coordinator";

/** A map in the coordinator as this process last knew it. It stays when the coordinator is gone. */
export interface WatchedMap<Value> {
  /** By key without the prefix. Replaced, never changed: hold on to it for one decision. */
  readonly current: ReadonlyMap<string, Value>;
  /** As of when; undefined until the map was first heard of. */
  readonly revision: Revision | undefined;
  readonly source: MapSource;
  /**
   * Milliseconds since it was last heard, or since the file was written. A map that nobody changes
   * grows older without being wrong. Undefined until it was first heard of.
   */
  readonly ageMs: number | undefined;
  /** Names that are in `current` although the coordinator lists them no more: not yet believed. */
  readonly heldBack: ReadonlySet<string>;
  /**
   * Resolves once `current` is known, by the coordinator or, when that is gone, by the disk;
   * rejects when closed before that.
   */
  readonly ready: Promise<void>;
  /** Whole maps, the current one first (as soon as there is one); a slow reader gets the latest. */
  watch(options?: {
    readonly signal?: AbortSignal | undefined;
  }): AsyncIterable<ReadonlyMap<string, Value>>;
  /** Stops watching and ends the readers; `current` stays. Idempotent. */
  close(): void;
}

/**
 * Keeps the entries under `prefix` parsed and up to date. Additions and changes apply at once, and
 * so do removals, unless many vanish together or after an outage: those wait until two reads agree
 * (`RemovalRules`). A store that is older than what the disk remembers, as after the restore of a
 * backup, is not believed until its generation was raised.
 *
 * @param parse value and name (the key without the prefix) to what readers want; when it throws,
 *   the entry is left out and logged, and the rest of the map goes on.
 */
export function watchedMap<Value>(
  coordinator: Pick<Coordinator, "list" | "watch">,
  prefix: string,
  parse: (value: string, name: string) => Value,
  options: WatchedMapOptions = {},
): WatchedMap<Value> {
  return new MapWatcher(coordinator, prefix, parse, options);
}

interface Difference {
  readonly put: [name: string, value: string][];
  readonly removed: string[];
}

class MapWatcher<Value> implements WatchedMap<Value> {
  readonly #coordinator: Pick<Coordinator, "list" | "watch">;
  readonly #prefix: string;
  readonly #runtime: Runtime;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #held: HeldValues<Value>;
  readonly #guard: ReturnType<typeof removalGuard>;
  readonly #readers = new Set<Notice>();
  readonly #onChange: WatchedMapOptions["onChange"];
  readonly #known = Promise.withResolvers<void>();
  #saver: MapSaver | undefined;
  #source: MapSource = "nowhere";
  #revision: Revision | undefined;
  #generation = 0;
  #heardAt = 0;
  #savedAtMs = 0;
  #isReading = false;
  #isRefused = false;

  constructor(
    coordinator: Pick<Coordinator, "list" | "watch">,
    prefix: string,
    parse: (value: string, name: string) => Value,
    options: WatchedMapOptions,
  ) {
    this.#coordinator = coordinator;
    this.#prefix = prefix;
    this.#runtime = runtimeWith(options.runtime);
    const given = options.signal === undefined ? [] : [options.signal];
    this.#signal = AbortSignal.any([this.#stop.signal, ...given]);
    this.#guard = removalGuard(options.removals);
    this.#onChange = options.onChange;
    this.#held = heldValues(prefix, parse, this.#runtime.log);
    this.#known.promise.catch(() => {});
    if (options.session !== undefined) this.#heed(options.session);
    void this.#run(options.disk);
  }

  get current(): ReadonlyMap<string, Value> {
    return this.#held.current;
  }

  get revision(): Revision | undefined {
    return this.#revision;
  }

  get source(): MapSource {
    return this.#source;
  }

  get ageMs(): number | undefined {
    const { clock } = this.#runtime;
    if (this.#source === "nowhere") return undefined;
    if (this.#source === "coordinator") return clock.now() - this.#heardAt;
    return Math.max(0, clock.wallNow() - this.#savedAtMs);
  }

  get heldBack(): ReadonlySet<string> {
    return this.#guard.heldBack;
  }

  get ready(): Promise<void> {
    return this.#known.promise;
  }

  async *watch(options: { readonly signal?: AbortSignal | undefined } = {}) {
    const own = options.signal;
    const until = own === undefined ? this.#signal : AbortSignal.any([this.#signal, own]);
    const changed = notice();
    this.#readers.add(changed);
    try {
      let isOn = !until.aborted;
      if (this.#source === "nowhere") isOn = await changed.wait(until);
      while (isOn) {
        yield this.#held.current;
        isOn = await changed.wait(until);
      }
    } finally {
      changed.close();
      this.#readers.delete(changed);
    }
  }

  close(): void {
    this.#stop.abort();
  }

  /** When the own session ends, and until a while after another was opened, all is in doubt. */
  #heed(session: Pick<KeptSession, "onOpen">): void {
    let isFirst = true;
    const forget = session.onOpen((opened) => {
      if (!isFirst) this.#guard.gap(this.#runtime.clock.now());
      isFirst = false;
      const onEnd = (): void => {
        if (opened.state === "lost") this.#guard.outage();
      };
      opened.signal.addEventListener("abort", onEnd, { once: true });
    });
    this.#signal.addEventListener("abort", forget, { once: true });
  }

  async #run(disk: MapDisk | undefined): Promise<void> {
    const { log } = this.#runtime;
    const prefix = this.#prefix;
    try {
      const saved = disk === undefined ? undefined : await this.#open(disk);
      const adopting = saved === undefined ? undefined : this.#adoptLater(saved);
      while (!this.#signal.aborted) {
        if (!(await this.#follow(saved, () => adopting?.cancel()))) break;
        // The store is younger than the file; perhaps somebody raises its generation.
        await this.#runtime.clock.sleep(backOffDefaults.mostMs, { signal: this.#signal });
      }
      const message = `The watch of ${prefix} was closed before it heard anything.`;
      this.#known.reject(new TenfoldError("TENFOLD_COORDINATION_CLOSED", message));
    } catch (error) {
      if (!this.#signal.aborted) log.error("a watch ended", { prefix, error: errorText(error) });
      this.#known.reject(error);
    } finally {
      this.#saver?.close();
      this.#stop.abort();
    }
  }

  async #open(disk: MapDisk): Promise<SavedMap | undefined> {
    const { clock, log } = this.#runtime;
    const file = mapFile(disk, this.#prefix, log);
    const present = (): SavedMap => ({
      generation: this.#generation,
      revision: this.#revision ?? 0n,
      savedAtMs: clock.wallNow(),
      values: this.#held.values,
    });
    this.#saver = mapSaver(file, present, clock);
    return await file.load();
  }

  #adoptLater(saved: SavedMap): { cancel(): void } {
    const { clock } = this.#runtime;
    const adopt = (): void => this.#adopt(saved);
    return clock.setTimer(watchedMapDefaults.diskAfterMs, adopt, { keepAlive: false });
  }

  /** Begins with what the disk remembers. */
  #adopt(saved: SavedMap): void {
    if (this.#source !== "nowhere" || this.#signal.aborted) return;
    this.#source = "disk";
    this.#revision = saved.revision;
    this.#generation = saved.generation;
    this.#savedAtMs = saved.savedAtMs;
    this.#held.change([...saved.values], []);
    const { clock, log } = this.#runtime;
    const ageMs = clock.wallNow() - saved.savedAtMs;
    log.warn("begins with a map from disk", { prefix: this.#prefix, ageMs });
    this.#tell();
  }

  /** @returns true when the store is not to be believed, and may be asked again later */
  async #follow(saved: SavedMap | undefined, heard: () => void): Promise<boolean> {
    const signal = this.#signal;
    for await (const batch of this.#coordinator.watch(this.#prefix, { signal })) {
      heard();
      if (this.#source !== "coordinator" && saved && (await this.#isYounger(batch, saved))) {
        this.#adopt(saved);
        return true;
      }
      this.#apply(batch);
    }
    return false;
  }

  async #isYounger(batch: WatchBatch, saved: SavedMap): Promise<boolean> {
    if (batch.revision >= saved.revision) return false;
    const read = () => this.#coordinator.list(generationKey, { signal: this.#signal });
    const { entries } = await insist(read, this.#signal, this.#runtime);
    const generation = parseGeneration(entries.find(({ key }) => key === generationKey)?.value);
    if (generation > saved.generation) return false;
    if (this.#isRefused) return true;
    this.#isRefused = true;
    const { log } = this.#runtime;
    const code = "TENFOLD_COORDINATION_STORE_REPLACED";
    log.error("the store is younger than the map on disk, which is kept until it is adopted", {
      ...{ code, prefix: this.#prefix, help: errorCodes[code] },
      ...{ revision: batch.revision, known: saved.revision },
    });
    return true;
  }

  #apply(batch: WatchBatch): void {
    const now = this.#runtime.clock.now();
    const { put, removed } = this.#difference(batch);
    if (batch.kind === "snapshot" && this.#source !== "nowhere") this.#guard.gap(now);
    const added = put.filter(([name]) => !this.#held.values.has(name)).length;
    const names = { put: put.map(([name]) => name), removed };
    const dropped = this.#guard.heard(names, this.#held.values.size + added, now);
    this.#held.change(put, dropped);
    this.#source = "coordinator";
    this.#revision = batch.revision;
    this.#heardAt = now;
    if (dropped.length < removed.length) this.#tellHeldBack();
    this.#tell();
    this.#saver?.changed();
    this.#readAgainWhenDue();
  }

  #difference({ kind, entries, changes }: WatchBatch): Difference {
    if (kind === "snapshot") {
      const put = entries.map((entry) => this.#told(entry));
      const listed = new Set(put.map(([name]) => name));
      const { heldBack } = this.#guard;
      const isGone = (name: string): boolean => !listed.has(name) && !heldBack.has(name);
      return { put, removed: [...this.#held.values.keys()].filter(isGone) };
    }
    const difference: Difference = { put: [], removed: [] };
    for (const change of changes) {
      if (change.kind === "put") {
        difference.put.push(this.#told(change.entry));
        continue;
      }
      const name = change.key.slice(this.#prefix.length);
      if (this.#held.values.has(name)) difference.removed.push(name);
    }
    return difference;
  }

  #told({ key, value, token }: Entry): [name: string, value: string] {
    const generation = tokenGeneration(token);
    if (generation > this.#generation) this.#generation = generation;
    return [key.slice(this.#prefix.length), value];
  }

  #tellHeldBack(): void {
    const { log } = this.#runtime;
    const names = [...this.#guard.heldBack].slice(0, 20);
    const count = this.#guard.heldBack.size;
    log.warn("many entries vanished at once; they stay until that is confirmed", {
      prefix: this.#prefix,
      count,
      names,
    });
  }

  #readAgainWhenDue(): void {
    const { nextReadAt } = this.#guard;
    if (this.#isReading || nextReadAt === undefined) return;
    this.#isReading = true;
    void this.#readAgain()
      .catch(() => {})
      .finally(() => {
        this.#isReading = false;
      });
  }

  /** Reads until nothing is held back. Rejects only when closed. */
  async #readAgain(): Promise<void> {
    const { clock, random, log } = this.#runtime;
    const signal = this.#signal;
    const pause = backOff(random);
    for (;;) {
      const { nextReadAt } = this.#guard;
      if (nextReadAt === undefined) return;
      await clock.sleep(Math.max(0, nextReadAt - clock.now()), { signal });
      try {
        const { entries, revision } = await this.#coordinator.list(this.#prefix, { signal });
        if (this.#revision !== undefined && revision < this.#revision) {
          // The watch has told of later changes meanwhile: this answer would undo them.
          await clock.sleep(pause.next(), { signal });
          continue;
        }
        const listed = new Set(entries.map(({ key }) => key.slice(this.#prefix.length)));
        const gone = this.#guard.read((name) => listed.has(name), clock.now());
        pause.reset();
        if (gone.length === 0) continue;
        this.#held.change([], gone);
        this.#tell();
        this.#saver?.changed();
      } catch (error) {
        log.debug("reading a map again failed", { prefix: this.#prefix, error: errorText(error) });
        await clock.sleep(pause.next(), { signal });
      }
    }
  }

  #tell(): void {
    this.#known.resolve();
    this.#onChange?.(this.#held.values);
    for (const reader of this.#readers) reader.notify();
  }
}
