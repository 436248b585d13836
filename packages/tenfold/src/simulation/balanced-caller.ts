import type { Balancer, Picked } from "../balancing/balancer.ts";
import type { Candidate } from "../balancing/candidate.ts";
import type { Bulkhead } from "../resilience/bulkhead.ts";
import type { CircuitBreaker } from "../resilience/circuit-breaker.ts";
import type { RateLimiter } from "../resilience/rate-limiter.ts";
import type { RetryBudget } from "../resilience/retry-budget.ts";
import type { Caller, Line } from "./replay.ts";

export interface BalancedCallerOptions {
  readonly balancer: Pick<Balancer<Candidate>, "pick" | "hasWell">;
  /** Attempts of one call, each at another server as long as there is one; default 3. */
  readonly attemptsMax?: number;
  /** For one attempt, in milliseconds; default 2,000. */
  readonly tryTimeoutMs?: number;
  /** Turns whole calls away. */
  readonly rateLimit?: RateLimiter;
  /** Without one a failed attempt is always made again, up to `attemptsMax`. */
  readonly retryBudget?: RetryBudget;
  /** Of the service: while one server is well, failures of others do not count. */
  readonly breaker?: CircuitBreaker;
  readonly bulkhead?: Bulkhead<() => void>;
}

/** refused: it was turned away, and no server was asked. */
type End = "success" | "failure" | "refused";

/**
 * A client that picks with a balancer, reports what it saw, tries elsewhere after a failure, at
 * once. What it is given of the other policies stands in the order of `layerOrder`, as in a service
 * client.
 */
export function balancedCaller(options: BalancedCallerOptions): Caller {
  const { rateLimit, retryBudget } = options;
  return {
    call({ key }, line) {
      const now = line.now();
      if (rateLimit !== undefined && rateLimit.take(now) > 0) {
        line.end(false);
        return;
      }
      retryBudget?.deposit(now);
      new BalancedCall(options, line, key).attempt(1);
    },
  };
}

class BalancedCall {
  readonly #options: BalancedCallerOptions;
  readonly #line: Line;
  readonly #key: string;
  readonly #tried = new Set<string>();

  constructor(options: BalancedCallerOptions, line: Line, key: string) {
    this.#options = options;
    this.#line = line;
    this.#key = key;
  }

  /** Through the circuit; again after a failure, where that may be. */
  attempt(number: number): void {
    const { attemptsMax = 3, balancer, breaker, retryBudget } = this.#options;
    const line = this.#line;
    const permit = breaker?.admit(line.now()) ?? 0;
    if (breaker !== undefined && permit === 0) {
      line.end(false);
      return;
    }
    this.#pick((end, tookMs) => {
      const now = line.now();
      const saysNothing = end === "refused" || (end === "failure" && balancer.hasWell);
      breaker?.settle(permit, now, saysNothing ? "ignored" : end, tookMs);
      const mayFollow = end === "failure" && number < attemptsMax;
      if (mayFollow && (retryBudget?.withdraw(now) ?? true)) this.attempt(number + 1);
      else line.end(end === "success");
    });
  }

  /** Chooses a server, and waits for a place where there is a bulkhead. */
  #pick(ended: (end: End, tookMs: number) => void): void {
    const { balancer, bulkhead } = this.#options;
    const line = this.#line;
    const asked = { exclude: this.#tried, mayProbe: true, key: this.#key };
    const picked = balancer.pick(line.now(), asked);
    if (picked === undefined) {
      ended("refused", 0);
      return;
    }
    this.#tried.add(picked.endpoint.id);
    const send = (): void => this.#send(picked, ended);
    const refuse = (): void => {
      picked.release();
      ended("refused", 0);
    };
    if (bulkhead === undefined || bulkhead.enter()) {
      send();
      return;
    }
    const waiter = bulkhead.wait(line.now(), send);
    if (waiter === undefined) refuse();
    else {
      line.after(waiter.waitMs, () => {
        if (bulkhead.giveUp(waiter)) refuse();
      });
    }
  }

  /** Until the answer, the time-out, or a slow server is left for another one. */
  #send(picked: Picked<Candidate>, ended: (end: End, tookMs: number) => void): void {
    const { bulkhead, tryTimeoutMs = 2_000 } = this.#options;
    const line = this.#line;
    const began = line.now();
    let isOver = false;
    const finish = (outcome: "success" | "failure" | "cancelled"): void => {
      if (isOver) return;
      isOver = true;
      const now = line.now();
      const tookMs = now - began;
      picked.report(now, outcome, tookMs);
      picked.release();
      bulkhead?.leave(now)?.value();
      if (outcome === "cancelled") this.#pick(ended);
      else ended(outcome, tookMs);
    };
    line.send(picked.endpoint.id, (ok) => finish(ok ? "success" : "failure"));
    line.after(tryTimeoutMs, () => finish("failure"));
    if (picked.patienceMs < tryTimeoutMs) line.after(picked.patienceMs, () => finish("cancelled"));
  }
}
