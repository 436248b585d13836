import { type Balancer, balancer, type Picked, type PickOptions } from "../balancing/balancer.ts";
import type { BalancerOptions } from "../balancing/balancer-options.ts";
import { type BalancerState, checkBalancerState } from "../balancing/balancer-state.ts";
import type { EndpointView } from "../balancing/endpoint-view.ts";
import { waitingCrowd } from "../resilience/waiting-crowd.ts";
import { errorText } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Endpoint, Resolver } from "./endpoint.ts";

export interface EndpointPoolOptions {
  readonly service: string;
  readonly resolver: Resolver;
  readonly runtime: Runtime;
  readonly balancing?: Omit<BalancerOptions, "random">;
  /** Called with every endpoint that left the list or moved. */
  readonly onGone?: (endpoint: Endpoint) => void;
}

/** The endpoints of one service, kept up to date, and the choice among them. */
export interface EndpointPool {
  readonly service: string;
  /** How many endpoints take calls. */
  readonly size: number;
  /** One of them has not failed since it last went well. */
  readonly hasWell: boolean;
  /** The same of those that are not among `ids`. */
  hasWellBeside(ids: ReadonlySet<string>): boolean;
  readonly closed: boolean;
  /** The resolver has given a list, be it an empty one, or will give none. */
  readonly listed: boolean;
  pick(now: number, options: PickOptions): Picked<Endpoint> | undefined;
  /** By what the next pick is made. */
  view(now: number): EndpointView[];
  /**
   * Waits until there is something new to try: another list, a call that went well, or about
   * `delayMs`, longer the more are waiting, so that a dead service is asked at a steady rate; never
   * longer than `atMostMs`.
   */
  wait(delayMs: number, atMostMs: number, signal?: AbortSignal): Promise<void>;
  save(now: number): BalancerState;
  /**
   * Takes over what was learned before: at once, or with the first list.
   * @throws TENFOLD_BALANCING_STATE_INVALID
   */
  restore(now: number, state: BalancerState): void;
  /** A call went well: whoever waits may go on. */
  recovered(): void;
  /** Stops watching and lets everybody who waits go on. Idempotent. */
  close(): void;
}

export function endpointPool(options: EndpointPoolOptions): EndpointPool {
  const { service, resolver, runtime } = options;
  const { clock, log } = runtime;
  const stop = new AbortController();
  const choice: Balancer<Endpoint> = balancer({
    ...options.balancing,
    random: runtime.random.fork(`balancer/${service}`),
  });
  const waiting = waitingCrowd(clock);
  let listed = new Map<string, Endpoint>();
  let isListed = false;
  /** For endpoints that are not listed yet. */
  let known: BalancerState | undefined;

  const update = (endpoints: readonly Endpoint[]): void => {
    isListed = true;
    try {
      choice.update(endpoints);
      if (known !== undefined && endpoints.length > 0) {
        choice.restore(clock.now(), known);
        known = undefined;
      }
    } catch (error) {
      log.error("kept the last list of endpoints", { service, error: errorText(error) });
      return;
    }
    const next = new Map(endpoints.map((endpoint) => [placeOf(endpoint), endpoint]));
    for (const [place, endpoint] of listed) if (!next.has(place)) options.onGone?.(endpoint);
    listed = next;
    waiting.goOn();
  };
  const run = async (): Promise<void> => {
    try {
      for await (const endpoints of resolver.watch(service, { signal: stop.signal })) {
        update(endpoints.filter(({ protocol }) => protocol === "http"));
      }
    } catch (error) {
      log.error("a resolver ended", { service, error: errorText(error) });
    }
    isListed = true;
  };
  void run();

  return {
    service,
    get size() {
      return choice.size;
    },
    get hasWell() {
      return choice.hasWell;
    },
    hasWellBeside: (ids) => choice.hasWellBeside(ids),
    get closed() {
      return stop.signal.aborted;
    },
    get listed() {
      return isListed;
    },
    pick: (now, pickOptions) => choice.pick(now, pickOptions),
    view: (now) => choice.view(now),
    wait(delayMs, atMostMs, signal) {
      if (stop.signal.aborted) return Promise.resolve();
      return waiting.wait(delayMs, atMostMs, signal);
    },
    save: (now) => choice.save(now),
    restore(now, state) {
      if (choice.size > 0) choice.restore(now, state);
      else known = checkBalancerState(state);
    },
    recovered: () => waiting.goOn(),
    close() {
      stop.abort();
      waiting.goOn();
    },
  };
}

function placeOf(endpoint: Endpoint): string {
  return `${endpoint.address}:${endpoint.port}`;
}
