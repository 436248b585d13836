import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import type { Random } from "../runtime/random.ts";
import { type Ejection, ejectedMax, ejection } from "./ejection.ts";
import { type PeakEwma, peakEwma } from "./peak-ewma.ts";
import { twoChoices } from "./two-choices.ts";

/** What the balancer reads of an endpoint: with another address, port or start it is a new one. */
export interface Candidate {
  readonly id: string;
  /** Share of traffic relative to its peers; 0 takes no new calls. */
  readonly weight: number;
  readonly address?: string;
  readonly port?: number;
  readonly startedAtMs?: number;
}

export interface BalancerOptions {
  readonly random: Random;
  /** τ of the latency estimate: 100 … 600,000. */
  readonly decayMs?: number;
  /** A failure counts as so many times the latency of the whole pool: 1 … 1,000. */
  readonly failurePenalty?: number;
  /** A failure counts as at least this long: 1 … 60,000. */
  readonly failureMsMin?: number;
  /** Failures in a row that eject a host: 1 … 1,000. */
  readonly failuresMax?: number;
  /** First probe of a failing host: 10 … 60,000. */
  readonly probeMs?: number;
  /** Longest time between probes: 10 … 600,000. */
  readonly probeMsMax?: number;
  /** How many endpoints are kept of a list: 1 … 100,000. */
  readonly endpointsMax?: number;
}

export const balancerDefaults: Readonly<Required<Omit<BalancerOptions, "random">>> = Object.freeze({
  decayMs: 10_000,
  failurePenalty: 20,
  failureMsMin: 200,
  failuresMax: 5,
  probeMs: 250,
  probeMsMax: 4_000,
  endpointsMax: 1_000,
});

/**
 * success and failure: what an attempt showed of the host. cancelled: the caller went away after
 * `latencyMs`; that it took so long is known, not whether it would have gone well.
 */
export type Outcome = "success" | "failure" | "cancelled";

/** One attempt on its way to an endpoint. */
export interface Picked<E> {
  readonly endpoint: E;
  /** May be told more than once: the first byte came, then the connection broke. */
  report(now: number, outcome: Outcome, latencyMs: number): void;
  /** The attempt is over. Idempotent; without it the endpoint looks busy for ever. */
  release(): void;
}

export interface PickOptions {
  /** Endpoints already tried: taken only when there is no other. */
  readonly exclude?: ReadonlySet<string>;
  /** May this call find out whether a failing host is well? False for what cannot be repeated. */
  readonly mayProbe?: boolean;
}

export interface Balancer<E extends Candidate> {
  /**
   * The new list. What is known of those that stay is kept; lists beyond `endpointsMax` are cut.
   * @throws TENFOLD_BALANCING_WEIGHT_INVALID when a weight is negative or no finite number; the
   * list before it stays in force.
   */
  update(endpoints: readonly E[]): void;
  /** Undefined when no endpoint has a weight above 0; ejection never empties the set. O(n). */
  pick(now: number, options?: PickOptions): Picked<E> | undefined;
  /** How many endpoints take calls, ejected ones included. */
  readonly size: number;
}

interface Host<E> {
  endpoint: E;
  pending: number;
  readonly latency: PeakEwma;
  readonly health: Ejection;
}

/**
 * Two choices over peak-EWMA latency times calls in flight. A failure counts as a very slow answer,
 * relative to the pool, because a host that fails in a millisecond otherwise looks like the best
 * one; a failing host gets one probe at a time, and one success brings it back to full share.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function balancer<E extends Candidate>(options: BalancerOptions): Balancer<E> {
  const { random } = options;
  const limits = checked({ ...balancerDefaults, ...options });
  const hosts = new Map<string, Host<E>>();
  /** Those that take calls. */
  let able: readonly Host<E>[] = [];
  /** The latency of successful calls over all hosts: what "slow" is measured against. */
  const pool = peakEwma(limits.decayMs);

  const fresh = (endpoint: E): Host<E> => ({
    endpoint,
    pending: 0,
    latency: peakEwma(limits.decayMs),
    health: ejection({ ...limits, random }),
  });

  const load = (host: Host<E>, now: number): number => {
    const estimate = host.latency.estimate(now);
    // An unknown host gets one call; the next waits for what that one shows.
    if (estimate === undefined) return host.pending === 0 ? 0 : Number.POSITIVE_INFINITY;
    return (Math.max(1, estimate) * (host.pending + 1)) / host.endpoint.weight;
  };

  const report = (host: Host<E>, now: number, outcome: Outcome, latencyMs: number): void => {
    if (outcome === "success") {
      const wasFailing = host.health.failures > 0;
      host.health.succeeded();
      pool.record(now, latencyMs);
      if (wasFailing) host.latency.reset(now, latencyMs);
      else host.latency.record(now, latencyMs);
      return;
    }
    if (outcome === "cancelled") {
      if (latencyMs > (host.latency.estimate(now) ?? 0)) host.latency.record(now, latencyMs);
      return;
    }
    const out = [...hosts.values()].filter((other) => other.health.ejected).length;
    host.health.failed(now, out < ejectedMax(hosts.size));
    const penalty = Math.max(
      limits.failureMsMin,
      (pool.estimate(now) ?? 0) * limits.failurePenalty,
    );
    host.latency.record(now, Math.max(penalty, latencyMs));
  };

  const choose = (now: number, pickOptions: PickOptions): Host<E> | undefined => {
    const { exclude } = pickOptions;
    const isFirst = exclude === undefined || exclude.size === 0;
    const untried = isFirst ? able : able.filter((host) => !exclude.has(host.endpoint.id));
    const candidates = untried.length > 0 ? untried : able;
    if (candidates.length === 0) return undefined;
    const due = pickOptions.mayProbe === true && candidates.find((host) => isDue(host, now));
    if (due) return due;
    const well = candidates.filter((host) => !isOut(host, now));
    // Panic: with more out than in, the fault is rather in the judgement than in the hosts.
    const from = well.length * 2 >= candidates.length ? well : candidates;
    return twoChoices(from, (host) => load(host, now), random);
  };

  return {
    get size() {
      return able.length;
    },
    update(endpoints) {
      const kept = endpoints.slice(0, limits.endpointsMax);
      for (const endpoint of kept) checkWeight(endpoint);
      const before = new Map(hosts);
      hosts.clear();
      for (const endpoint of kept) {
        const known = before.get(endpoint.id);
        if (known === undefined || !isSame(known.endpoint, endpoint)) {
          hosts.set(endpoint.id, fresh(endpoint));
          continue;
        }
        known.endpoint = endpoint;
        hosts.set(endpoint.id, known);
      }
      able = [...hosts.values()].filter((host) => host.endpoint.weight > 0);
    },
    pick(now, pickOptions = {}) {
      const host = choose(now, pickOptions);
      if (host === undefined) return undefined;
      host.pending++;
      let held = true;
      return {
        endpoint: host.endpoint,
        report: (at, outcome, latencyMs) => report(host, at, outcome, latencyMs),
        release() {
          if (held) host.pending--;
          held = false;
        },
      };
    },
  };
}

function isDue<E>(host: Host<E>, now: number): boolean {
  return host.health.failures > 0 && host.pending === 0 && now >= host.health.probeAt;
}

function isOut<E>(host: Host<E>, now: number): boolean {
  return host.health.ejected && now < host.health.probeAt;
}

function isSame(a: Candidate, b: Candidate): boolean {
  return a.address === b.address && a.port === b.port && a.startedAtMs === b.startedAtMs;
}

function checkWeight(endpoint: Candidate): void {
  if (Number.isFinite(endpoint.weight) && endpoint.weight >= 0) return;
  throw new TenfoldError(
    "TENFOLD_BALANCING_WEIGHT_INVALID",
    `The weight of ${endpoint.id} must be a number from 0, got ${endpoint.weight}.`,
    { details: { endpoint: endpoint.id } },
  );
}

function checked(limits: Required<BalancerOptions>): Required<BalancerOptions> {
  numberOption("decayMs", limits.decayMs, { min: 100, max: 600_000 });
  numberOption("failurePenalty", limits.failurePenalty, { min: 1, max: 1_000, whole: false });
  numberOption("failureMsMin", limits.failureMsMin, { min: 1, max: 60_000 });
  numberOption("failuresMax", limits.failuresMax, { min: 1, max: 1_000 });
  numberOption("probeMs", limits.probeMs, { min: 10, max: 60_000 });
  numberOption("probeMsMax", limits.probeMsMax, { min: 10, max: 600_000 });
  numberOption("endpointsMax", limits.endpointsMax, { min: 1, max: 100_000 });
  return limits;
}
