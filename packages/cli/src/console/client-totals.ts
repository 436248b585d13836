/** What a gateway process counted when it was last read. */
export interface GatewayReading {
  readonly instance: string;
  /** Differs for every process that ever ran under the name. */
  readonly incarnation: string;
  readonly requests: number;
  readonly failed: number;
}

/** Enough to go on counting in another process of the console. */
export interface SavedTotals {
  readonly requests: number;
  readonly failed: number;
  readonly readings: readonly GatewayReading[];
}

export interface ClientTotals {
  readonly requests: number;
  readonly failed: number;
  read(reading: GatewayReading): void;
  save(): SavedTotals;
}

const gatewaysMax = 100;

/**
 * Requests of clients and failed ones since the fleet started, over all lives of its gateways, and
 * with `saved` over all lives of the console too. Never go back.
 */
export function clientTotals(saved?: SavedTotals): ClientTotals {
  const last = new Map(saved?.readings.map((reading) => [reading.instance, reading]));
  const sums = { requests: saved?.requests ?? 0, failed: saved?.failed ?? 0 };
  return {
    get requests() {
      return sums.requests;
    },
    get failed() {
      return sums.failed;
    },
    read(reading) {
      const before = last.get(reading.instance);
      if (before === undefined && last.size >= gatewaysMax) return;
      last.set(reading.instance, reading);
      const sameProcess =
        before !== undefined &&
        before.incarnation === reading.incarnation &&
        before.requests <= reading.requests &&
        before.failed <= reading.failed;
      sums.requests += reading.requests - (sameProcess ? before.requests : 0);
      sums.failed += reading.failed - (sameProcess ? before.failed : 0);
    },
    save: () => ({ ...sums, readings: [...last.values()] }),
  };
}
