/** Where one instance of a service can be reached. */
export interface Endpoint {
  /** The instance's name, unique in the fleet and stable over restarts: `posts-2`. */
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: "http";
  readonly zone: string;
  readonly version: string;
  /** Share of traffic relative to its peers; 0 takes no new calls. */
  readonly weight: number;
}

/** An entry of the members map: an endpoint and what people and monitors want to know of it. */
export interface Member extends Endpoint {
  readonly service: string;
  readonly host: string;
  readonly pid: number;
  /** Where `/metrics`, `/healthz` and `/readyz` are; always present. */
  readonly adminPort: number;
  /** Wall-clock milliseconds. */
  readonly startedAtMs: number;
}

/** Says where the instances of a service are: coordinator, DNS and static lists look the same. */
export interface Resolver {
  /** The current endpoints first, then every change, as whole lists; ends with the signal. */
  watch(
    service: string,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<readonly Endpoint[]>;
}
