import { errorText, isTenfoldError } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TimedGenerator } from "./id-generator.ts";
import { peersDisagree, peerTimeDefaults, startingTimeMs } from "./peer-time.ts";
import { type TimeWindow, timeWindow } from "./time-window.ts";
import { claimWorker, type WorkerLease } from "./worker-lease.ts";
import type { WorkerRecords } from "./worker-records.ts";

/** What a generator is made for. */
export interface LeasedWorker {
  readonly worker: number;
  /** All its ids must come after this wall-clock millisecond. */
  readonly afterMs: number;
  /** No bound: how far ahead it may run is the window's affair. */
  readonly aheadMsMax: number;
}

export interface Held<Generator> {
  readonly lease: WorkerLease;
  readonly window: TimeWindow;
  readonly generator: Generator;
}

export interface LeaseKeeperOptions<Generator> {
  readonly records: WorkerRecords;
  readonly generator: (lease: LeasedWorker) => Generator;
  readonly owner: string;
  readonly count: number;
  readonly windowMs: number;
  readonly runtime: Runtime;
  readonly onClaim: () => void;
  readonly onLost: () => void;
}

const retryMs = { first: 50, most: 2_000 } as const;

/** Claims a number, keeps time reserved under it, and claims another one when it is lost. */
export class LeaseKeeper<Generator extends TimedGenerator> {
  /** The last number claimed; after its loss it serves to the end of its window. */
  held: Held<Generator> | undefined;
  readonly #options: LeaseKeeperOptions<Generator>;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #wake = (): void => {};
  #retryMs: number = retryMs.first;

  constructor(options: LeaseKeeperOptions<Generator>) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Time is short: look now whether to reserve more. Harmless in the middle of doing it. */
  wake(): void {
    this.#wake();
  }

  /** Ends it and gives the number up, with the reserved time that is left. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#running;
    const last = this.held;
    this.held = undefined;
    if (last === undefined) return;
    const { lastMs = last.lease.fromMs - 1 } = last.generator;
    await last.lease.release(lastMs + 1).catch(() => {});
  }

  async #run(): Promise<void> {
    const { onLost, runtime } = this.#options;
    let owner = this.#uniqueOwner();
    let current: Held<Generator> | undefined;
    while (!this.#stop.signal.aborted) {
      try {
        if (current === undefined) {
          current = await this.#claim(owner);
          owner = this.#uniqueOwner();
        }
        await this.#keep(current);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        const reason = errorText(error);
        if (current === undefined) runtime.log.info("no worker number yet", { reason });
        else runtime.log.warn("reserving time for ids failed", { reason });
        if (isTenfoldError(error, "TENFOLD_IDENTIFIERS_LEASE_LOST")) {
          onLost();
          current = undefined;
        }
        await this.#backOff();
      }
    }
  }

  async #claim(owner: string): Promise<Held<Generator>> {
    const { records, count, windowMs, generator, onClaim } = this.#options;
    const { clock, log } = this.#options.runtime;
    const { signal } = this.#stop;
    const seenMs = clock.wallNow();
    const wallMs = startingTimeMs(seenMs, await records.list({ signal }), windowMs);
    if (wallMs < seenMs) log.warn("the wall clock is ahead of the others'", { seenMs, wallMs });
    const lease = await claimWorker(records, { owner, count, wallMs, windowMs, signal });
    const { worker, epoch, reservedUntilMs: grantedUntilMs } = lease;
    // A process's second number goes on after its first, so that its ids keep growing.
    const fromMs = Math.max(lease.fromMs, (this.held?.generator.lastMs ?? -1) + 1);
    const window = timeWindow({ windowMs, grantedUntilMs, fromMs, wallMs, nowMs: clock.now() });
    const leased = { worker, afterMs: fromMs - 1, aheadMsMax: Number.MAX_SAFE_INTEGER };
    const held = { lease, window, generator: generator(leased) };
    this.held = held;
    onClaim();
    log.info("worker number claimed", { worker, epoch, reservedUntilMs: grantedUntilMs });
    return held;
  }

  /** Until the number is lost, the records fail, or it is stopped. */
  async #keep(held: Held<Generator>): Promise<void> {
    const { lease, window } = held;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const untilMs = await this.#wanted(held);
      if (untilMs !== undefined) {
        await lease.reserve(untilMs, signal);
        window.granted(lease.reservedUntilMs);
      }
      this.#retryMs = retryMs.first;
      await this.#pause(this.#options.windowMs / 8);
    }
  }

  /** Until when to reserve now, if at all. */
  async #wanted({ lease, window, generator }: Held<Generator>): Promise<number | undefined> {
    const { clock, log } = this.#options.runtime;
    const [wallMs, ownMs] = [clock.wallNow(), window.ownMs(clock.now())];
    const untilMs = window.wanted(wallMs, generator.lastMs);
    if (untilMs === undefined || wallMs - ownMs <= peerTimeDefaults.leapMsMax) return untilMs;
    const stored = await this.#options.records.list({ signal: this.#stop.signal });
    if (!peersDisagree(wallMs, stored, lease.worker)) return untilMs;
    log.warn("the wall clock leapt ahead of the others' and is not followed", { wallMs, ownMs });
    return window.wanted(ownMs, generator.lastMs);
  }

  /** Ends early when woken. */
  #pause(ms: number): Promise<void> {
    const { clock } = this.#options.runtime;
    return new Promise((resolve) => {
      const timer = clock.setTimer(ms, resolve, { keepAlive: false });
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Does not end early: everybody who wants ids would hurry a coordinator that is down. */
  async #backOff(): Promise<void> {
    const { clock, random } = this.#options.runtime;
    const ms = this.#retryMs * (0.5 + random.next() / 2);
    this.#retryMs = Math.min(this.#retryMs * 2, retryMs.most);
    await clock.sleep(ms, { signal: this.#stop.signal }).catch(() => {});
  }

  #uniqueOwner(): string {
    const { owner, runtime } = this.#options;
    const word = (): string => runtime.random.below(2 ** 32).toString(36);
    return `${owner}/${word()}-${word()}`;
  }
}
