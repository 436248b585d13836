import type { Candidate } from "./candidate.ts";
import type { Ejection } from "./ejection.ts";
import type { HostMeter } from "./load-measure.ts";
import type { OutcomeWindow } from "./outcome-window.ts";
import { slowStartShare } from "./slow-start.ts";

/** One endpoint as a policy that picks sees it. */
export interface Host {
  readonly id: string;
  /** Relative to its peers: 1 on average. Slow start is not in it. */
  readonly weight: number;
  /** Calls under way. */
  readonly pending: number;
  /** The weight as of now, slow start included. */
  weightAt(now: number): number;
  /** What one more call would meet: less is better. Weight and slow start are in it. */
  load(now: number): number;
  /** Load if nothing were under way, for a host of average weight; 0 when unknown. */
  idleLoad(now: number): number;
  /** The policy's own two numbers, NaN at first; they stay while other hosts come and go. */
  turn: number;
  share: number;
}

export interface HostParts<E> {
  readonly endpoint: E;
  readonly meter: HostMeter;
  readonly health: Ejection;
  readonly outcomes: OutcomeWindow;
}

/** All that is known of one endpoint. */
export class HostState<E extends Candidate> implements Host {
  readonly id: string;
  endpoint: E;
  weight = 1;
  pending = 0;
  turn = Number.NaN;
  share = Number.NaN;
  readonly meter: HostMeter;
  readonly health: Ejection;
  readonly outcomes: OutcomeWindow;
  #rampFrom = Number.NaN;
  #rampMs = 0;
  #rampShareMin = 1;

  constructor({ endpoint, meter, health, outcomes }: HostParts<E>) {
    this.id = endpoint.id;
    this.endpoint = endpoint;
    this.meter = meter;
    this.health = health;
    this.outcomes = outcomes;
  }

  /** From here on the host takes little, then more, then its full share after `windowMs`. */
  ramp(now: number, windowMs: number, shareMin: number): void {
    this.#rampFrom = now;
    this.#rampMs = windowMs;
    this.#rampShareMin = shareMin;
  }

  /** False for a host that was listed but never yet looked at. */
  get seen(): boolean {
    return !Number.isNaN(this.#rampFrom);
  }

  weightAt(now: number): number {
    return this.weight * this.#ramped(now);
  }

  load(now: number): number {
    return this.meter.load(now, this.pending / this.weight) / this.#ramped(now);
  }

  idleLoad(now: number): number {
    return this.meter.idleLoad?.(now) ?? this.meter.load(now, 0);
  }

  /** Out, and nobody needs to find out yet whether it is well again. */
  isOut(now: number): boolean {
    return this.health.ejected && now < this.health.probeAt;
  }

  isDue(now: number): boolean {
    return this.health.failures > 0 && now >= this.health.probeAt;
  }

  #ramped(now: number): number {
    if (this.#rampMs === 0) return 1;
    const share = slowStartShare(now - this.#rampFrom, this.#rampMs, this.#rampShareMin);
    if (share === 1) this.#rampMs = 0;
    return share;
  }
}
