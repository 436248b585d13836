import { seededRandom } from "../runtime/random.ts";

/** One call that someone wants to make, whatever became of those before. */
export interface Arrival {
  readonly atMs: number;
  /** Which of the clients makes it: each has its own view of the servers. */
  readonly client: number;
  /** How much work it is, 1 on average; part of the trace, so that every policy meets the same. */
  readonly demand: number;
  readonly key: string;
}

export interface OpenLoopOptions {
  readonly seed: string;
  readonly durationMs: number;
  /** Over all clients. */
  readonly perSecond: number;
  readonly clients: number;
  /** How many different keys there are, all equally frequent; default 1,000. */
  readonly keys?: number;
}

/** Calls that come at random (Poisson) and need work at random (exponential). */
export function openLoop(options: OpenLoopOptions): readonly Arrival[] {
  const { durationMs, perSecond, clients, keys = 1_000 } = options;
  const random = seededRandom(options.seed);
  const exponential = (): number => -Math.log(1 - random.next());
  const arrivals: Arrival[] = [];
  let atMs = 0;
  for (;;) {
    atMs += (exponential() * 1_000) / perSecond;
    if (atMs >= durationMs) return arrivals;
    const client = random.below(clients);
    arrivals.push({ atMs, client, demand: exponential(), key: `key-${random.below(keys)}` });
  }
}
