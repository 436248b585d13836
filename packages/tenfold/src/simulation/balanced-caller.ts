import type { Balancer } from "../balancing/balancer.ts";
import type { Candidate } from "../balancing/candidate.ts";
import type { Caller, Line } from "./replay.ts";

export interface BalancedCallerOptions {
  readonly balancer: Pick<Balancer<Candidate>, "pick">;
  /** Attempts of one call, each at another server as long as there is one; default 3. */
  readonly attemptsMax?: number;
  /** For one attempt, in milliseconds; default 2,000. */
  readonly tryTimeoutMs?: number;
  /** A call begins: for a retry budget. */
  readonly onCall?: (now: number) => void;
  /** May one more attempt be made? Default always. */
  readonly mayRetry?: (now: number) => boolean;
}

/** A client that picks with a balancer, reports what it saw, tries elsewhere after a failure. */
export function balancedCaller(options: BalancedCallerOptions): Caller {
  const { balancer, attemptsMax = 3, tryTimeoutMs = 2_000 } = options;
  const { onCall, mayRetry = () => true } = options;

  const attempt = (line: Line, tried: Set<string>, key: string, number = 1): void => {
    const began = line.now();
    const picked = balancer.pick(began, { exclude: tried, mayProbe: true, key });
    if (picked === undefined) {
      line.end(false);
      return;
    }
    tried.add(picked.endpoint.id);
    let settled = false;
    const settle = (ok: boolean): void => {
      if (settled) return;
      settled = true;
      const now = line.now();
      picked.report(now, ok ? "success" : "failure", now - began);
      picked.release();
      if (ok || number >= attemptsMax || !mayRetry(now)) line.end(ok);
      else attempt(line, tried, key, number + 1);
    };
    line.send(picked.endpoint.id, settle);
    line.after(tryTimeoutMs, () => settle(false));
    if (picked.patienceMs >= tryTimeoutMs) return;
    line.after(picked.patienceMs, () => {
      if (settled) return;
      settled = true;
      picked.report(line.now(), "cancelled", line.now() - began);
      picked.release();
      attempt(line, tried, key, number);
    });
  };
  return {
    call(arrival, line) {
      onCall?.(line.now());
      attempt(line, new Set(), arrival.key);
    },
  };
}
