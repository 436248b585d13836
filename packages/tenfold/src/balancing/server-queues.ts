import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import { type SteadyTime, steadyTime } from "../runtime/steady-time.ts";
import type { Balancer, Picked, PickOptions } from "./balancer.ts";
import { type Candidate, isSameInstance } from "./candidate.ts";

export interface ServerQueuesOptions<E extends Candidate> {
  /** Chooses the server: calls that wait count as under way there. */
  readonly balancer: Balancer<E>;
  /** Calls that one server works on at once: 1 … 100,000. */
  readonly inFlightMax: number;
  /** Calls that wait for one server: 0 … 100,000. */
  readonly waitingMax?: number;
  /** How long a call waits: 1 … 600,000. */
  readonly waitMsMax?: number;
}

export const serverQueuesDefaults: Readonly<{ waitingMax: number; waitMsMax: number }> =
  Object.freeze({ waitingMax: 128, waitMsMax: 1_000 });

const known = ["balancer", "inFlightMax", ...Object.keys(serverQueuesDefaults)];

/** One call at its server, or in the queue before it. */
export interface Ticket<E, T> {
  readonly call: T;
  readonly picked: Picked<E>;
  readonly state: "running" | "waiting" | "over";
}

/** A queue before each server: a burst waits at the caller, where it can still be turned away. */
export interface ServerQueues<E extends Candidate, T> {
  /**
   * Takes a call in: it runs now or waits its turn. Undefined when every queue is full, or nobody
   * is there to serve. O(n) only when queues are full.
   */
  offer(now: number, call: T, options?: PickOptions): Ticket<E, T> | undefined;
  /** The call is over, or its caller is gone. Returns those that run from now on. Idempotent. */
  end(now: number, ticket: Ticket<E, T>): readonly Ticket<E, T>[];
  /** Takes out those that have waited for `waitMsMax`; for a timer of the caller's. */
  expire(now: number): readonly Ticket<E, T>[];
  /** The new list; who waits for a server that left is queued elsewhere or, if all is full, out. */
  update(now: number, endpoints: readonly E[]): Moved<E, T>;
  readonly waiting: number;
}

export interface Moved<E, T> {
  readonly started: readonly Ticket<E, T>[];
  readonly out: readonly Ticket<E, T>[];
}

/**
 * Per-server queues as in HAProxy (maxconn and a queue for each server), over any balancer.
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function serverQueues<E extends Candidate, T>(
  options: ServerQueuesOptions<E>,
): ServerQueues<E, T> {
  refuseUnknownKeys("serverQueues", options, known);
  const limits = { ...serverQueuesDefaults, ...options };
  numberOption("inFlightMax", limits.inFlightMax, { min: 1, max: 100_000 });
  numberOption("waitingMax", limits.waitingMax, { min: 0, max: 100_000 });
  numberOption("waitMsMax", limits.waitMsMax, { min: 1, max: 600_000 });
  return new Queues(limits);
}

interface Entry<E, T> extends Ticket<E, T> {
  picked: Picked<E>;
  state: "running" | "waiting" | "over";
  readonly offeredAt: number;
  readonly options: PickOptions;
}

interface Server<E, T> {
  running: number;
  readonly queue: Entry<E, T>[];
}

class Queues<E extends Candidate, T> implements ServerQueues<E, T> {
  readonly #limits: Required<ServerQueuesOptions<E>>;
  readonly #servers = new Map<string, Server<E, T>>();
  /** For how long calls wait; the balancer has a time of its own. */
  readonly #time: SteadyTime = steadyTime();

  constructor(limits: Required<ServerQueuesOptions<E>>) {
    this.#limits = limits;
  }

  get waiting(): number {
    return [...this.#servers.values()].reduce((sum, { queue }) => sum + queue.length, 0);
  }

  offer(now: number, call: T, options: PickOptions = {}): Ticket<E, T> | undefined {
    const picked = this.#place(now, options);
    if (picked === undefined) return undefined;
    const offeredAt = this.#time.at(now);
    const entry: Entry<E, T> = { call, picked, state: "waiting", offeredAt, options };
    this.#enter(entry);
    return entry;
  }

  end(now: number, ticket: Ticket<E, T>): readonly Ticket<E, T>[] {
    const entry = ticket as Entry<E, T>;
    if (entry.state === "over") return [];
    const server = this.#serverOf(entry);
    if (entry.state === "running") server.running--;
    else server.queue.splice(server.queue.indexOf(entry), 1);
    entry.state = "over";
    entry.picked.release();
    const at = this.#time.at(now);
    const next = server.queue.find(({ offeredAt }) => at - offeredAt < this.#limits.waitMsMax);
    if (next === undefined || server.running >= this.#limits.inFlightMax) {
      this.#forget(entry.picked.endpoint.id);
      return [];
    }
    server.queue.splice(server.queue.indexOf(next), 1);
    server.running++;
    next.state = "running";
    return [next];
  }

  expire(now: number): readonly Ticket<E, T>[] {
    const at = this.#time.at(now);
    return this.#takeOut(({ offeredAt }) => at - offeredAt >= this.#limits.waitMsMax);
  }

  update(now: number, endpoints: readonly E[]): Moved<E, T> {
    this.#limits.balancer.update(endpoints);
    const listed = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    const isGone = ({ picked: { endpoint } }: Entry<E, T>): boolean => {
      const present = listed.get(endpoint.id);
      return !present?.weight || !isSameInstance(present, endpoint);
    };
    const started: Entry<E, T>[] = [];
    const out: Entry<E, T>[] = [];
    for (const entry of this.#takeOut(isGone)) {
      const picked = this.#place(now, entry.options);
      if (picked === undefined) {
        out.push(entry);
        continue;
      }
      entry.picked = picked;
      this.#enter(entry);
      if (entry.state === "running") started.push(entry);
    }
    return { started, out };
  }

  /** A server with room, asked for again and again while the chosen one is full. */
  #place(now: number, options: PickOptions): Picked<E> | undefined {
    const full = new Set(options.exclude);
    for (let left = this.#limits.balancer.size; left > 0; left--) {
      const picked = this.#limits.balancer.pick(now, { ...options, exclude: full });
      if (picked === undefined) return undefined;
      const { id } = picked.endpoint;
      const server = this.#servers.get(id);
      const { inFlightMax, waitingMax } = this.#limits;
      if (server === undefined || server.running < inFlightMax) return picked;
      if (server.queue.length < waitingMax) return picked;
      picked.release();
      full.add(id);
    }
    return undefined;
  }

  #enter(entry: Entry<E, T>): void {
    const server = this.#serverOf(entry);
    const runs = server.running < this.#limits.inFlightMax;
    entry.state = runs ? "running" : "waiting";
    if (runs) server.running++;
    else server.queue.push(entry);
  }

  #takeOut(isOut: (entry: Entry<E, T>) => boolean): Entry<E, T>[] {
    const taken: Entry<E, T>[] = [];
    for (const [id, { queue }] of this.#servers) {
      for (let i = queue.length - 1; i >= 0; i--) {
        if (isOut(queue[i] as Entry<E, T>)) taken.push(...queue.splice(i, 1));
      }
      this.#forget(id);
    }
    for (const entry of taken) {
      entry.state = "over";
      entry.picked.release();
    }
    return taken.sort((a, b) => a.offeredAt - b.offeredAt);
  }

  #serverOf({ picked }: Entry<E, T>): Server<E, T> {
    const { id } = picked.endpoint;
    const server = this.#servers.get(id) ?? { running: 0, queue: [] };
    this.#servers.set(id, server);
    return server;
  }

  /** Nothing is kept of a server without calls. */
  #forget(id: string): void {
    const server = this.#servers.get(id);
    if (server?.running === 0 && server.queue.length === 0) this.#servers.delete(id);
  }
}
