import { type SteadyTime, steadyTime } from "../runtime/steady-time.ts";
import { type BalancerLimits, type BalancerOptions, balancerLimits } from "./balancer-options.ts";
import { type BalancerState, checkBalancerState } from "./balancer-state.ts";
import { type Candidate, checkWeight, isSameInstance } from "./candidate.ts";
import { ejectedMax, ejection } from "./ejection.ts";
import { type EndpointView, endpointView } from "./endpoint-view.ts";
import { HostState } from "./host.ts";
import { type HostSet, hostSet } from "./host-set.ts";
import type { Outcome, PoolMeter } from "./load-measure.ts";
import { outcomeWindow } from "./outcome-window.ts";
import type { Picker } from "./picking.ts";
import { isOutlier, type Outcomes } from "./rate-test.ts";

/**
 * policy: the policy's choice among those that are well. probe: to find out whether a failing or
 * slow host is well again. panic: too many are out, so all take part. spilled: the zone is not
 * well, or busy. again: nobody is left that this call has not tried.
 */
export type PickReason = "policy" | "probe" | "panic" | "spilled" | "again";

/** One attempt on its way to an endpoint. */
export interface Picked<E> {
  readonly endpoint: E;
  readonly reason: PickReason;
  /**
   * A call that may be made again should give up after so many milliseconds and go elsewhere: a
   * slow host that has not answered by then is slow still. Infinity for nearly all.
   */
  readonly patienceMs: number;
  /**
   * May be told more than once: the first byte came, then the connection broke. How long that took
   * after the first time is the length of a stream, and no latency.
   *
   * @param latencyMs 0 … 2^53; anything else counts as an outcome without a measured latency.
   */
  report(now: number, outcome: Outcome, latencyMs: number): void;
  /** The attempt is over. Idempotent; without it the endpoint looks busy for ever. */
  release(): void;
}

export interface PickOptions {
  /** Endpoints already tried: taken only when there is no other. */
  readonly exclude?: ReadonlySet<string>;
  /** May this call find out whether a host is well again? False for what cannot be repeated. */
  readonly mayProbe?: boolean;
  /** What the call is about, for policies with affinity. */
  readonly key?: string;
}

export interface Balancer<E extends Candidate> {
  /**
   * The new list. What is known of those that stay is kept; lists beyond `endpointsMax` are cut.
   * @throws TENFOLD_BALANCING_WEIGHT_INVALID when a weight is out of its range; the list before it
   * stays in force.
   */
  update(endpoints: readonly E[]): void;
  /**
   * Undefined when no endpoint has a weight above 0; ejection never empties the set. As costly as
   * the policy that picks; O(n) with `exclude` or after a change.
   */
  pick(now: number, options?: PickOptions): Picked<E> | undefined;
  /** How many endpoints take calls, ejected ones included. */
  readonly size: number;
  /** Is there one that takes calls and has not failed since it last went well? O(n). */
  readonly hasWell: boolean;
  /** By what the next choice is made, of those that take calls. O(n). */
  view(now: number): EndpointView[];
  /** The same of those that are not among `ids`. O(n). */
  hasWellBeside(ids: ReadonlySet<string>): boolean;
  /** What was learned of the endpoints, as JSON. Calls under way are not in it. */
  save(now: number): BalancerState;
  /**
   * Takes over what was learned elsewhere or before, for endpoints of the present list that are
   * still the same instance.
   * @throws TENFOLD_BALANCING_STATE_INVALID and nothing is taken over.
   */
  restore(now: number, state: BalancerState): void;
}

/**
 * The choice among the endpoints of one service: what is measured (`measure`) and how one picks
 * (`picking`) combine freely. Around them: hosts that fail in a row or far more often than the
 * others are ejected, probed one call at a time and brought back; new hosts start slowly; the
 * caller's zone comes first.
 *
 * By default the best of four random choices by peak-EWMA latency times calls in flight, with a
 * penalty for failing.
 *
 * Every `now` is in milliseconds of the caller's clock. One that is set back or leaps, or is not a
 * number, does no harm: time goes on from where it was.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function balancer<E extends Candidate>(options: BalancerOptions): Balancer<E> {
  return new PoolBalancer<E>(balancerLimits(options));
}

const noOptions: PickOptions = Object.freeze({});

/** A sum with Infinity in it would stay that for ever. */
const latencyMsMax = 2 ** 53;

class PoolBalancer<E extends Candidate> implements Balancer<E> {
  readonly #limits: BalancerLimits;
  readonly #meter: PoolMeter;
  readonly #near: Picker;
  readonly #far: Picker;
  readonly #time: SteadyTime = steadyTime();
  #hosts = new Map<string, HostState<E>>();
  /** Those that take calls. */
  #able: readonly HostState<E>[] = [];
  /** Undefined when something has changed since it was worked out. */
  #set: HostSet<E> | undefined;

  constructor(limits: BalancerLimits) {
    this.#limits = limits;
    this.#meter = limits.measure();
    this.#near = limits.picking(limits.random);
    this.#far = limits.picking(limits.random);
  }

  get size(): number {
    return this.#able.length;
  }

  get hasWell(): boolean {
    return this.#able.some(({ health }) => health.failures === 0);
  }

  hasWellBeside(ids: ReadonlySet<string>): boolean {
    return this.#able.some(({ id, health }) => health.failures === 0 && !ids.has(id));
  }

  update(endpoints: readonly E[]): void {
    const kept = endpoints.slice(0, this.#limits.endpointsMax);
    for (const endpoint of kept) checkWeight(endpoint);
    const before = this.#hosts;
    this.#hosts = new Map();
    for (const endpoint of kept) {
      const known = before.get(endpoint.id);
      const stays = known !== undefined && isSameInstance(known.endpoint, endpoint);
      const host = stays ? known : this.#newHost(endpoint);
      host.endpoint = endpoint;
      this.#hosts.set(endpoint.id, host);
    }
    this.#able = [...this.#hosts.values()].filter(({ endpoint }) => endpoint.weight > 0);
    const total = this.#able.reduce((sum, { endpoint }) => sum + endpoint.weight, 0);
    for (const host of this.#able) {
      host.weight = (host.endpoint.weight * this.#able.length) / total;
    }
    this.#set = undefined;
  }

  pick(clockNow: number, options: PickOptions = noOptions): Picked<E> | undefined {
    if (this.#able.length === 0) return undefined;
    const now = this.#time.at(clockNow);
    const { exclude } = options;
    this.#meter.placing?.(options.mayProbe === true);
    if (exclude === undefined || exclude.size === 0) {
      return this.#pickFrom(this.#currentSet(now), now, options);
    }
    const untried = this.#able.filter(({ id }) => !exclude.has(id));
    if (untried.length === 0) {
      return this.#pickFrom(this.#currentSet(now), now, options, "again");
    }
    // For its slow starts: they begin when a host is first looked at.
    this.#currentSet(now);
    return this.#pickFrom(hostSet(untried, now, this.#limits), now, options);
  }

  view(clockNow: number): EndpointView[] {
    const now = this.#time.at(clockNow);
    return this.#able.map((host) => endpointView(host, now));
  }

  save(clockNow: number): BalancerState {
    const now = this.#time.at(clockNow);
    return {
      version: 1,
      endpoints: [...this.#hosts.values()].map((host) => {
        const { id, address, port, startedAtMs } = host.endpoint;
        const latencyMs = host.meter.save(now);
        return {
          id,
          ...(address !== undefined && { address }),
          ...(port !== undefined && { port }),
          ...(startedAtMs !== undefined && { startedAtMs }),
          ...(latencyMs !== undefined && { latencyMs }),
          health: host.health.save(now),
        };
      }),
    };
  }

  restore(clockNow: number, state: BalancerState): void {
    const { endpoints } = checkBalancerState(state);
    const now = this.#time.at(clockNow);
    for (const saved of endpoints) {
      const host = this.#hosts.get(saved.id);
      if (host === undefined || !isSameInstance(host.endpoint, { ...saved, weight: 0 })) continue;
      if (saved.latencyMs !== undefined) host.meter.restore(now, saved.latencyMs);
      host.health.restore(now, saved.health);
    }
    this.#set = undefined;
  }

  #newHost(endpoint: E): HostState<E> {
    return new HostState({
      endpoint,
      meter: this.#meter.host(),
      health: ejection(this.#limits),
      outcomes: outcomeWindow(this.#limits.rateWindowMs),
    });
  }

  #currentSet(now: number): HostSet<E> {
    if (this.#set !== undefined && now < this.#set.validUntil) return this.#set;
    const { slowStartMs, slowStartShareMin } = this.#limits;
    for (const host of this.#able) {
      if (!host.seen) host.ramp(now, slowStartMs, slowStartShareMin);
    }
    this.#set = hostSet(this.#able, now, this.#limits);
    return this.#set;
  }

  #pickFrom(set: HostSet<E>, now: number, options: PickOptions, reason?: PickReason): Picked<E> {
    if (set.failing.length > 0 && options.mayProbe === true) {
      const due = set.failing.find((host) => host.isDue(now));
      if (due !== undefined) return this.#start(due, now, reason ?? "probe");
    }
    const usual = reason ?? (set.panic ? "panic" : "policy");
    if (set.far.length === 0) {
      return this.#start(this.#near.pick(set.near, now, options.key), now, usual);
    }
    const { zone, random } = this.#limits;
    if (random.next() >= set.nearShare) {
      return this.#start(this.#far.pick(set.far, now, options.key), now, "spilled");
    }
    const near = this.#near.pick(set.near, now, options.key);
    if (near.pending < (zone?.nearPendingMax as number) * near.weight) {
      return this.#start(near, now, usual);
    }
    const far = this.#far.pick(set.far, now, options.key);
    const isBetter = far.pending / far.weight < near.pending / near.weight;
    return this.#start(isBetter ? far : near, now, isBetter ? "spilled" : usual);
  }

  /** Pickers hand back one of the hosts they were given. */
  #start(picked: { readonly id: string }, now: number, reason: PickReason): Picked<E> {
    const host = picked as HostState<E>;
    if (host.isDue(now)) {
      host.health.probed(now);
      if (host.health.ejected) this.#set = undefined;
    }
    const patienceMs = host.meter.began?.(now) ?? Number.POSITIVE_INFINITY;
    host.pending++;
    const why = patienceMs < Number.POSITIVE_INFINITY ? "probe" : reason;
    return new Attempt(host, why, patienceMs, this.#report);
  }

  readonly #report: Report<E> = (host, epoch, clockNow, outcome, latencyMs) => {
    const { health, outcomes, meter } = host;
    if (epoch !== health.epoch) return;
    const now = this.#time.at(clockNow);
    const isMeasured = latencyMs >= 0 && latencyMs <= latencyMsMax;
    if (outcome === "failure") {
      outcomes.record(now, false);
      health.failed(now, isMeasured ? latencyMs : 0);
      this.#judge(host, now);
      if (health.ejected || health.failures === 1) this.#set = undefined;
    } else if (outcome === "success") {
      outcomes.record(now, true);
      if (health.failures > 0) this.#succeeded(host, now);
    }
    if (!isMeasured) return;
    const strain = Math.min(1, health.failures / this.#limits.failuresMax);
    meter.record(now, outcome, latencyMs, health.ejected ? 1 : strain);
  };

  #succeeded(host: HostState<E>, now: number): void {
    this.#set = undefined;
    if (!host.health.succeeded(now)) return;
    host.outcomes.clear();
    host.ramp(now, this.#limits.recoveryMs, this.#limits.slowStartShareMin);
  }

  /** Ejects a host that failed in a row or far more often than the others, if one more may go. */
  #judge(host: HostState<E>, now: number): void {
    const { health } = host;
    const { failuresMax, rateSamplesMin, rateDifferenceMin } = this.#limits;
    if (health.ejected) return;
    if (health.failures < failuresMax && host.outcomes.total < rateSamplesMin) return;
    let out = 0;
    const others: { total: number; failures: number } = { total: 0, failures: 0 };
    for (const other of this.#able) {
      other.outcomes.turn(now);
      if (other.health.ejected) out++;
      else if (other !== host) add(others, other.outcomes);
    }
    if (out >= ejectedMax(this.#able.length)) return;
    const rate = { samplesMin: rateSamplesMin, differenceMin: rateDifferenceMin };
    if (health.failures < failuresMax && !isOutlier(host.outcomes, others, rate)) return;
    health.eject();
  }
}

function add(sum: { total: number; failures: number }, { total, failures }: Outcomes): void {
  sum.total += total;
  sum.failures += failures;
}

type Report<E extends Candidate> = (
  host: HostState<E>,
  epoch: number,
  now: number,
  outcome: Outcome,
  latencyMs: number,
) => void;

class Attempt<E extends Candidate> implements Picked<E> {
  readonly reason: PickReason;
  readonly patienceMs: number;
  readonly #host: HostState<E>;
  readonly endpoint: E;
  readonly #epoch: number;
  readonly #report: Report<E>;
  #held = true;
  #told = false;

  constructor(host: HostState<E>, reason: PickReason, patienceMs: number, report: Report<E>) {
    this.patienceMs = patienceMs;
    this.#host = host;
    this.endpoint = host.endpoint;
    this.#epoch = host.health.epoch;
    this.reason = reason;
    this.#report = report;
  }

  report(now: number, outcome: Outcome, latencyMs: number): void {
    if (this.#told && outcome === "cancelled") return;
    const tookMs = this.#told && outcome === "failure" ? 0 : latencyMs;
    this.#told = true;
    this.#report(this.#host, this.#epoch, now, outcome, tookMs);
  }

  release(): void {
    if (this.#held) this.#host.pending--;
    this.#held = false;
  }
}
