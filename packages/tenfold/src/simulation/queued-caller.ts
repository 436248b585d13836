import type { Candidate } from "../balancing/candidate.ts";
import type { ServerQueues, Ticket } from "../balancing/server-queues.ts";
import type { Caller, Line } from "./replay.ts";

/** One call on its way through the queues. */
export interface QueuedCall {
  readonly line: Line;
  readonly tried: Set<string>;
  readonly key: string;
}

export interface QueuedCallerOptions {
  readonly queues: ServerQueues<Candidate, QueuedCall>;
  /** How long the queues let a call wait. */
  readonly waitMsMax: number;
  /** Attempts of one call, each at another server as long as there is one; default 3. */
  readonly attemptsMax?: number;
  /** For one attempt, in milliseconds; default 2,000. */
  readonly tryTimeoutMs?: number;
}

/** A client with a queue before each server, that tries elsewhere after a failure. */
export function queuedCaller(options: QueuedCallerOptions): Caller {
  const { queues, waitMsMax, attemptsMax = 3, tryTimeoutMs = 2_000 } = options;

  const run = (ticket: Ticket<Candidate, QueuedCall>): void => {
    const { call, picked } = ticket;
    const { line, tried } = call;
    const began = line.now();
    tried.add(picked.endpoint.id);
    let settled = false;
    const settle = (ok: boolean): void => {
      if (settled) return;
      settled = true;
      const now = line.now();
      picked.report(now, ok ? "success" : "failure", now - began);
      for (const next of queues.end(now, ticket)) run(next);
      if (ok || tried.size >= attemptsMax) line.end(ok);
      else offer(call);
    };
    line.send(picked.endpoint.id, settle);
    line.after(tryTimeoutMs, () => settle(false));
  };
  const offer = (call: QueuedCall): void => {
    const { line, tried, key } = call;
    const ticket = queues.offer(line.now(), call, { exclude: tried, mayProbe: true, key });
    if (ticket === undefined) line.end(false);
    else if (ticket.state === "running") run(ticket);
    else {
      line.after(waitMsMax, () => {
        for (const late of queues.expire(line.now())) late.call.line.end(false);
      });
    }
  };
  return {
    call: ({ key }, line) => offer({ line, tried: new Set(), key }),
  };
}
