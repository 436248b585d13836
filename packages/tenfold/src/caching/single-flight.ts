import { abortError, TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";

export interface SingleFlightOptions {
  /** How many keys may be loading at once: 1 … 1,000,000. Default 1,000. */
  readonly flightsMax?: number;
}

export const singleFlightDefaults: { readonly flightsMax: number } = Object.freeze({
  flightsMax: 1_000,
});

/** One load a key at a time: whoever asks meanwhile waits for it and shares its outcome. */
export interface SingleFlight<V> {
  /**
   * Joins the load under way for `key`, or starts one. A waiter whose signal fires leaves alone;
   * the load's own signal fires when the last one has left.
   *
   * @throws what `load` throws; the waiter's abort; TENFOLD_CACHING_FLIGHTS_EXCEEDED (retryable)
   */
  run(
    key: string,
    load: (signal: AbortSignal) => Promise<V>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<V>;
  /** How many keys are loading. */
  readonly size: number;
}

interface Flight<V> {
  readonly result: Promise<V>;
  readonly controller: AbortController;
  waiters: number;
}

/** Coalesces loads within this process (after Go's singleflight). @throws TENFOLD_OPTION_INVALID */
export function singleFlight<V>(options: SingleFlightOptions = {}): SingleFlight<V> {
  const flightsMax = numberOption(
    "flightsMax",
    options.flightsMax ?? singleFlightDefaults.flightsMax,
    { min: 1, max: 1_000_000 },
  );
  const flights = new Map<string, Flight<V>>();

  const start = (key: string, load: (signal: AbortSignal) => Promise<V>): Flight<V> => {
    if (flights.size >= flightsMax) throw flightsExceeded(flightsMax);
    const controller = new AbortController();
    const forget = (): void => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    // Started in a microtask, so that a load that throws at once fails as one that rejects.
    const result = Promise.resolve().then(() => load(controller.signal));
    const flight: Flight<V> = { result, controller, waiters: 0 };
    // Also marks the failure as handled: when every waiter has left nobody else would.
    result.then(forget, forget);
    flights.set(key, flight);
    return flight;
  };
  const leave = (key: string, flight: Flight<V>): void => {
    flight.waiters -= 1;
    if (flight.waiters > 0 || flights.get(key) !== flight) return;
    // Forgotten at once: who comes now must not join a load that is being aborted.
    flights.delete(key);
    flight.controller.abort();
  };
  return {
    async run(key, load, { signal } = {}) {
      if (signal?.aborted) throw abortError(signal);
      const flight = flights.get(key) ?? start(key, load);
      flight.waiters += 1;
      if (signal === undefined) return await flight.result;
      return await waitUnless(signal, flight.result, () => leave(key, flight));
    },
    get size() {
      return flights.size;
    },
  };
}

function waitUnless<V>(signal: AbortSignal, result: Promise<V>, left: () => void): Promise<V> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      left();
      reject(abortError(signal));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const settled = (): void => signal.removeEventListener("abort", onAbort);
    result.finally(settled).then(resolve, reject);
  });
}

function flightsExceeded(flightsMax: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_CACHING_FLIGHTS_EXCEEDED",
    `${flightsMax} loads are under way, which is the limit; try again shortly.`,
    { retryable: true, retryAfterMs: 100 },
  );
}
