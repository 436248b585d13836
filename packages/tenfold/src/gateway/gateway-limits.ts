import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";

/** Every wait and every store of the gateway ends at one of these. */
export interface GatewayLimits {
  /** Until the answer of a service begins, holding and retries included: 1 … 600,000. */
  readonly deadlineMs: number;
  /** Of one attempt of a request that may be repeated: 1 … 600,000. */
  readonly tryTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Attempts of one request that reach a server: 1 … 10. */
  readonly attemptsMax: number;
  /** Largest body, where the route says nothing: 0 … 1 GiB. */
  readonly bodyBytesMax: number;
  /** Bodies up to this are kept so that they can be sent again: 0 … 1 MiB. */
  readonly bufferBytes: number;
  /** An answer that stands still for so long is cut: 1,000 … 600,000. */
  readonly responseIdleMs: number;
  /** Requests that wait for an endpoint, and what they may hold: beyond it 503 at once. */
  readonly heldMax: number;
  readonly heldBytesMax: number;
  /** Head of a request must be there within: 100 … 60,000. */
  readonly headersTimeoutMs: number;
  /** The whole request must be there within: 100 … 600,000. */
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly headersMax: number;
  readonly headerBytesMax: number;
  /** Client connections. */
  readonly connectionsMax: number;
  /** Connections to one endpoint. */
  readonly endpointConnectionsMax: number;
}

export const gatewayDefaults: GatewayLimits = Object.freeze({
  deadlineMs: 10_000,
  tryTimeoutMs: 2_000,
  connectTimeoutMs: 1_000,
  attemptsMax: 3,
  bodyBytesMax: 1024 * 1024,
  bufferBytes: 64 * 1024,
  responseIdleMs: 30_000,
  heldMax: 1_000,
  heldBytesMax: 32 * 1024 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  /** Above the 60 s of common balancers in front, so that they close first and lose nothing. */
  keepAliveMs: 65_000,
  headersMax: 100,
  headerBytesMax: 16 * 1024,
  connectionsMax: 10_000,
  endpointConnectionsMax: 256,
});

const gibibyte = 2 ** 30;

const ranges: Readonly<Record<keyof GatewayLimits, readonly [min: number, max: number]>> = {
  deadlineMs: [1, 600_000],
  tryTimeoutMs: [1, 600_000],
  connectTimeoutMs: [1, 60_000],
  attemptsMax: [1, 10],
  bodyBytesMax: [0, gibibyte],
  bufferBytes: [0, 1024 * 1024],
  responseIdleMs: [1_000, 600_000],
  heldMax: [0, 100_000],
  heldBytesMax: [0, gibibyte],
  headersTimeoutMs: [100, 60_000],
  requestTimeoutMs: [100, 600_000],
  keepAliveMs: [1_000, 600_000],
  headersMax: [1, 1_000],
  headerBytesMax: [1_024, 1024 * 1024],
  connectionsMax: [1, 1_000_000],
  endpointConnectionsMax: [1, 10_000],
};

/** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
export function gatewayLimits(given: Partial<GatewayLimits> = {}): GatewayLimits {
  refuseUnknownKeys("limits", given, Object.keys(ranges));
  const limits = { ...gatewayDefaults, ...given };
  for (const name of Object.keys(ranges) as (keyof GatewayLimits)[]) {
    const [min, max] = ranges[name];
    numberOption(`limits.${name}`, limits[name], { min, max });
  }
  return limits;
}
