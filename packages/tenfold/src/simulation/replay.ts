import { seededRandom } from "../runtime/random.ts";
import { eventLoop } from "./event-loop.ts";
import type { Arrival } from "./open-loop.ts";
import { type Fault, type ServerSpec, serverModel } from "./server-model.ts";

/** What a client may do about one call. */
export interface Line {
  now(): number;
  /** Sends the call to a server; the answer comes once, however late. */
  send(server: string, answered: (ok: boolean) => void): void;
  after(delayMs: number, run: () => void): void;
  /** The call is over; what comes later does not count. */
  end(ok: boolean): void;
}

/** A client: production policy objects and how it uses them. Must end every call. */
export interface Caller {
  call(arrival: Arrival, line: Line): void;
}

export interface ReplayOptions {
  readonly trace: readonly Arrival[];
  readonly servers: readonly ServerSpec[];
  readonly faults?: readonly Fault[];
  /** Makes the client of that number; called once for each that has a call. */
  readonly caller: (client: number) => Caller;
  /** One way, in milliseconds; default 0.25 for all. */
  readonly wireMs?: (client: number, server: string) => number;
  /** Of the servers' own chance; default "replay". */
  readonly seed?: string;
}

export interface ReplayedCall {
  readonly arrival: Arrival;
  endMs: number;
  ok: boolean;
  attempts: number;
}

export interface Pick {
  readonly atMs: number;
  readonly call: number;
  readonly server: string;
}

export interface Replay {
  readonly calls: readonly ReplayedCall[];
  readonly picks: readonly Pick[];
}

/**
 * Plays a trace of calls against models of servers in virtual time, with the policies of
 * production: those that hold no promise, as `balancedCaller` and `queuedCaller` use them. For
 * `callPolicy` take `serverModel` over `virtualClock`. The same options give the same picks to the
 * last one.
 */
export function replay(options: ReplayOptions): Replay {
  const { trace, faults = [], wireMs = () => 0.25, seed = "replay" } = options;
  const loop = eventLoop();
  const servers = new Map(
    options.servers.map((spec) => [
      spec.id,
      serverModel(spec, faults, loop, seededRandom(`${seed}/${spec.id}`)),
    ]),
  );
  const callers = new Map<number, Caller>();
  const picks: Pick[] = [];
  const calls = trace.map((arrival): ReplayedCall => {
    return { arrival, endMs: Number.NaN, ok: false, attempts: 0 };
  });

  const lineOf = (index: number, call: ReplayedCall): Line => ({
    now: loop.now,
    after: loop.setTimer,
    send(id, answered) {
      const server = servers.get(id);
      if (server === undefined) throw new Error(`there is no server ${id}`);
      call.attempts++;
      picks.push({ atMs: loop.now(), call: index, server: id });
      const wayMs = wireMs(call.arrival.client, id);
      loop.setTimer(wayMs, () => {
        server.serve(call.arrival.demand, (ok) => loop.setTimer(wayMs, () => answered(ok)));
      });
    },
    end(ok) {
      if (!Number.isNaN(call.endMs)) return;
      call.endMs = loop.now();
      call.ok = ok;
    },
  });
  const arrive = (index: number): void => {
    const call = calls[index];
    if (call === undefined) return;
    const { arrival } = call;
    loop.setTimer(arrival.atMs - loop.now(), () => {
      arrive(index + 1);
      const caller = callers.get(arrival.client) ?? options.caller(arrival.client);
      callers.set(arrival.client, caller);
      caller.call(arrival, lineOf(index, call));
    });
  };
  arrive(0);
  loop.run();
  return { calls, picks };
}
