import type { Random } from "../runtime/random.ts";

/** A server with a number of places, where work takes time, and a queue before them. */
export interface ServerSpec {
  readonly id: string;
  readonly zone?: string;
  /** Share of traffic it is listed with; default 1. */
  readonly weight?: number;
  /** Calls served at once: 1 … */
  readonly slots: number;
  /** Calls that wait for a place; one more fails at once. */
  readonly queueMax: number;
  /** Time a call of demand 1 takes. */
  readonly serviceMs: number;
}

/** What is wrong with a server from `fromMs` on, until `toMs`. */
export type Fault = {
  readonly server: string;
  readonly fromMs: number;
  readonly toMs: number;
} & (
  | {
      /** Work that begins takes so many times as long. */
      readonly kind: "slow";
      readonly factor: number;
    }
  | {
      /** A share of the calls fails after `afterMs`, without taking a place. */
      readonly kind: "failing";
      readonly share: number;
      readonly afterMs: number;
    }
  | {
      /** Nothing goes on: work under way and every answer wait. */
      readonly kind: "frozen";
    }
);

export interface ServerModel {
  /** @param demand how much work it is, 1 on average. */
  serve(demand: number, done: (ok: boolean) => void): void;
}

/** Whose time a server lives in: a `virtualClock`, or what `replay` has for itself. */
export interface ModelTime {
  now(): number;
  setTimer(delayMs: number, run: () => void): unknown;
}

/**
 * A server of `replay` by itself: for code with promises, such as `callPolicy`,
 * over `virtualClock`.
 *
 * @param random of its own chance: which calls fail where a share of them does.
 */
export function serverModel(
  spec: ServerSpec,
  faults: readonly Fault[],
  time: ModelTime,
  random: Pick<Random, "next">,
): ServerModel {
  const own = faults.filter(({ server }) => server === spec.id);
  const frozen = own.filter(({ kind }) => kind === "frozen").sort((a, b) => a.fromMs - b.fromMs);
  const waiting: { readonly demand: number; readonly done: (ok: boolean) => void }[] = [];
  let busy = 0;

  /** Runs after `ms` of the server's own time, which stands still while it is frozen. */
  const afterWork = (ms: number, run: () => void): void => {
    let end = time.now() + ms;
    for (const { fromMs, toMs } of frozen) {
      if (fromMs <= end && toMs > time.now()) end += toMs - Math.max(fromMs, time.now());
    }
    time.setTimer(end - time.now(), run);
  };
  const start = (demand: number, done: (ok: boolean) => void): void => {
    busy++;
    const factor = own.reduce(
      (product, fault) =>
        fault.kind === "slow" && isActive(fault, time.now()) ? product * fault.factor : product,
      1,
    );
    afterWork(demand * spec.serviceMs * factor, () => {
      busy--;
      const next = waiting.shift();
      if (next !== undefined) start(next.demand, next.done);
      done(true);
    });
  };
  return {
    serve(demand, done) {
      for (const fault of own) {
        if (fault.kind !== "failing" || !isActive(fault, time.now())) continue;
        if (random.next() < fault.share) {
          afterWork(fault.afterMs, () => done(false));
          return;
        }
      }
      if (busy < spec.slots) start(demand, done);
      else if (waiting.length < spec.queueMax) waiting.push({ demand, done });
      else afterWork(0, () => done(false));
    },
  };
}

function isActive(fault: Fault, now: number): boolean {
  return now >= fault.fromMs && now < fault.toMs;
}
