/** What is spoken at an endpoint. The clients of this library call `http` ones only. */
export type EndpointProtocol = "http" | "https" | "grpc" | "tcp";

export const endpointProtocols: readonly EndpointProtocol[] = ["http", "https", "grpc", "tcp"];

/** What an instance says of its own load: a rough figure, some seconds old. */
export interface EndpointLoad {
  /** Share of its time that it works: 0 (idle) … 1 (has no more to give). */
  readonly utilisation: number;
  /** Requests under way. */
  readonly requests: number;
}

/** Where one instance of a service can be reached. */
export interface Endpoint {
  /** The instance's name, unique in the fleet and stable over restarts: `posts-2`. */
  readonly id: string;
  /** An IP address, or a name that the caller can resolve. */
  readonly address: string;
  readonly port: number;
  readonly protocol: EndpointProtocol;
  readonly zone: string;
  readonly version: string;
  /** Share of traffic relative to its peers; 0 takes no new calls. */
  readonly weight: number;
  /** Absent where nobody tells it, as with DNS and lists. */
  readonly load?: EndpointLoad | undefined;
}

/** An entry of the members map: an endpoint and what people and monitors want to know of it. */
export interface Member extends Endpoint {
  readonly service: string;
  readonly host: string;
  /** Absent for a service that was registered over REST. */
  readonly pid?: number | undefined;
  /** Where `/metrics`, `/healthz` and `/readyz` are; absent for what has no such port. */
  readonly adminPort?: number | undefined;
  /** Wall-clock milliseconds. */
  readonly startedAtMs: number;
  /**
   * Registered over REST: the entry goes when no heartbeat came for so long. Absent where the
   * instance's own session keeps the entry.
   */
  readonly ttlMs?: number | undefined;
}

/** Says where the instances of a service are: coordinator, DNS and static lists look the same. */
export interface Resolver {
  /** The current endpoints first, then every change, as whole lists; ends with the signal. */
  watch(
    service: string,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<readonly Endpoint[]>;
}
