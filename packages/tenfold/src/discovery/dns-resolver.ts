import { invalidOption, numberOption } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { type DnsClient, dnsClient } from "./dns-client.ts";
import {
  type DnsFreshness,
  type DnsFreshnessLimits,
  dnsFreshness,
  dnsFreshnessDefaults,
} from "./dns-freshness.ts";
import { type DnsLookup, dnsLookup } from "./dns-lookup.ts";
import { parseDnsName } from "./dns-name.ts";
import type { Endpoint, Resolver } from "./endpoint.ts";
import { type EndpointFeed, endpointFeed } from "./endpoint-feed.ts";

export interface DnsResolverOptions extends Partial<DnsFreshnessLimits> {
  /**
   * `host:port` for address records, a name without port for SRV records; one for all services,
   * with `{service}` in it, or one each: `{ posts: "posts.internal:8080" }`.
   */
  readonly names: string | Readonly<Record<string, string>>;
  /**
   * The DNS servers to ask, `address` or `address:port`; default: the system's. Two resolvers with
   * different servers are the internal and the external view of a name.
   */
  readonly servers?: readonly string[];
  /** any (default): IPv4 addresses where there are some, else IPv6. */
  readonly family?: 4 | 6 | "any";
  /** The zone of all its endpoints. Default "default". */
  readonly zone?: string;
  /** For one question to one server, the first time: 50 … 30,000. Default 1,000. */
  readonly timeoutMs?: number;
  /** How often a server is asked until it counts as failed: 1 … 10. Default 2. */
  readonly tries?: number;
  readonly runtime?: Partial<Runtime>;
}

/** How fresh what a resolver says of a service is. */
export interface DnsResolverState {
  /** Milliseconds since the list was last confirmed; undefined before the first answer. */
  readonly ageMs: number | undefined;
  /** Why the last question was not answered; undefined when it was. */
  readonly problem: string | undefined;
}

/** A resolver that owns questions to DNS servers. */
export interface DnsResolver extends Resolver {
  /** Undefined for a service that nobody has asked for. */
  state(service: string): DnsResolverState | undefined;
  /** Stops asking and ends the watches. Idempotent. */
  close(): void;
}

export const dnsResolverDefaults: DnsFreshnessLimits & {
  readonly timeoutMs: number;
  readonly tries: number;
  readonly probeEveryMs: number;
  readonly probeTimeoutMs: number;
} = Object.freeze({
  ...dnsFreshnessDefaults,
  timeoutMs: 1_000,
  tries: 2,
  /** How often the most preferred SRV targets are connected to, where there are others. */
  probeEveryMs: 1_000,
  probeTimeoutMs: 500,
});

/**
 * Names as a resolver: asked for again when their time to live ends, one question at a time per
 * name however many watch. A list stays, and grows old, while DNS fails or denies that it exists.
 * Of SRV targets the group with the lowest priority number takes the calls as long as one of it
 * accepts a connection (RFC 2782).
 *
 * How soon a change is seen is the record's time to live at worst, and the caches' between.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function dnsResolver(options: DnsResolverOptions): DnsResolver {
  const limits = checked(options);
  const runtime = runtimeWith(options.runtime);
  const { family = "any", zone = "default", names, servers } = options;
  const client = openClient(servers, limits);
  const stop = new AbortController();
  const feeds = new Map<string, DnsFeed>();
  const feedOf = (service: string): DnsFeed => {
    const known = feeds.get(service);
    if (known !== undefined) return known;
    const pattern = typeof names === "string" ? names : names[service];
    const name = pattern === undefined ? undefined : parseDnsName(pattern, service);
    const lookup = async (): Promise<DnsLookup> =>
      name === undefined
        ? { kind: "none", reason: "no name is given for it" }
        : await dnsLookup(name, { client, family, zone });
    const freshness = dnsFreshness(limits, runtime.random);
    const made = new DnsFeed({ service, lookup, freshness, runtime, end: stop.signal });
    feeds.set(service, made);
    return made;
  };
  return {
    async *watch(service, { signal } = {}) {
      const until = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
      yield* feedOf(service).watch(until);
    },
    state: (service) => feeds.get(service)?.state(),
    close() {
      if (stop.signal.aborted) return;
      stop.abort();
      client.cancel();
    },
  };
}

interface DnsFeedOptions {
  readonly service: string;
  readonly lookup: () => Promise<DnsLookup>;
  readonly freshness: DnsFreshness;
  readonly runtime: Runtime;
  readonly end: AbortSignal;
}

/** One service's name, asked for as long as somebody watches. */
class DnsFeed {
  readonly #options: DnsFeedOptions;
  readonly #feed: EndpointFeed = endpointFeed();
  #groups: readonly (readonly Endpoint[])[] = [];
  #problem: string | undefined;
  #readers = 0;
  #idle = new AbortController();

  constructor(options: DnsFeedOptions) {
    this.#options = options;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<readonly Endpoint[]> {
    if (this.#readers++ === 0) this.#start();
    try {
      yield* this.#feed.watch(signal);
    } finally {
      if (--this.#readers === 0) this.#idle.abort();
    }
  }

  state(): DnsResolverState {
    const { freshness, runtime } = this.#options;
    return { ageMs: freshness.ageMs(runtime.clock.now()), problem: this.#problem };
  }

  #start(): void {
    this.#idle = new AbortController();
    void this.#run(AbortSignal.any([this.#idle.signal, this.#options.end]));
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { freshness, runtime } = this.#options;
    const { clock } = runtime;
    while (!signal.aborted) {
      if (clock.now() >= freshness.askAtMs) await this.#ask(signal);
      const several = this.#groups.length > 1;
      await this.#tell(several, signal);
      const restMs = Math.max(0, freshness.askAtMs - clock.now());
      const sleepMs = several ? Math.min(restMs, dnsResolverDefaults.probeEveryMs) : restMs;
      await clock.sleep(sleepMs, { signal }).catch(() => {});
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { freshness, lookup, runtime, service } = this.#options;
    const { clock, log } = runtime;
    const answer = await lookup();
    if (signal.aborted) return;
    if (answer.kind === "found") {
      freshness.found(answer.ttlMs, clock.now());
      this.#groups = answer.groups;
      if (this.#problem !== undefined) log.info("DNS answers again", { service });
      this.#problem = undefined;
      return;
    }
    freshness.missed(answer.kind, clock.now());
    const problem = `${answer.kind}: ${answer.reason}`;
    const { ageMs } = this.state();
    if (problem !== this.#problem) log.warn("DNS does not tell", { service, problem, ageMs });
    this.#problem = problem;
    if (freshness.usable(clock.now())) return;
    this.#groups = [];
    // Who never heard a list learns that there is none; a failure tells nothing.
    if (answer.kind === "none" || this.#feed.current !== undefined) this.#feed.tell([]);
  }

  async #tell(several: boolean, signal: AbortSignal): Promise<void> {
    const [first] = this.#groups;
    if (first === undefined) return;
    const endpoints = several ? await this.#preferred(signal) : first;
    if (!signal.aborted) this.#feed.tell(endpoints);
  }

  /** The first group of which anybody accepts a connection; the first when none does. */
  async #preferred(until: AbortSignal): Promise<readonly Endpoint[]> {
    for (const group of this.#groups) {
      const accepted = await Promise.all(group.map((endpoint) => this.#accepts(endpoint, until)));
      if (accepted.includes(true)) return group;
    }
    return this.#groups[0] ?? [];
  }

  async #accepts({ address, port }: Endpoint, until: AbortSignal): Promise<boolean> {
    const { runtime } = this.#options;
    const late = new AbortController();
    const timer = runtime.clock.setTimer(dnsResolverDefaults.probeTimeoutMs, () => late.abort());
    const signal = AbortSignal.any([late.signal, until]);
    try {
      const connection = await runtime.network.connect({ host: address, port }, { signal });
      connection.destroy();
      return true;
    } catch {
      return false;
    } finally {
      timer.cancel();
    }
  }
}

type Checked = DnsFreshnessLimits & { readonly timeoutMs: number; readonly tries: number };

function checked(options: DnsResolverOptions): Checked {
  const limit = (name: keyof Checked, min: number, max: number): number =>
    numberOption(name, options[name] ?? dnsResolverDefaults[name], { min, max });
  const ttlMaxMs = limit("ttlMaxMs", 100, 86_400_000);
  return {
    ttlMaxMs,
    ttlMinMs: limit("ttlMinMs", 100, Math.min(3_600_000, ttlMaxMs)),
    staleMaxMs: limit("staleMaxMs", 0, 604_800_000),
    negativeMaxMs: limit("negativeMaxMs", 0, 604_800_000),
    timeoutMs: limit("timeoutMs", 50, 30_000),
    tries: limit("tries", 1, 10),
  };
}

function openClient(servers: readonly string[] | undefined, limits: Checked): DnsClient {
  try {
    return dnsClient({ servers, timeoutMs: limits.timeoutMs, tries: limits.tries });
  } catch {
    const expected = "a list of addresses of DNS servers, such as 10.0.0.2 or 127.0.0.1:5353";
    throw invalidOption("servers", expected, servers?.join());
  }
}
