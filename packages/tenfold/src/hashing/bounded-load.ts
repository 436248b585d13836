import { invalidOption, numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { HashNode } from "./hash-node.ts";
import { avalanche, murmur3 } from "./murmur3.ts";
import type { Ring } from "./ring.ts";

export interface BoundedLoadOptions {
  /** No node holds more than so many times its fair share: 1 … 100. */
  readonly ratio?: number;
  /** Other places tried for a key before any node with room is taken: 0 … 64. */
  readonly rehashesMax?: number;
  /**
   * When no node that may take the key has room, which needs excluded nodes: "shed" it, or "raise"
   * the bound to what it would be if those that may were the only nodes.
   */
  readonly whenFull?: "shed" | "raise";
}

export const boundedLoadDefaults: Readonly<Required<BoundedLoadOptions>> = Object.freeze({
  ratio: 1.25,
  rehashesMax: 8,
  whenFull: "shed",
});

/** A place that was taken on a node. */
export interface TakenPlace<N> {
  readonly node: N;
  /** The work is over. Idempotent. */
  release(): void;
}

export interface TakeOptions {
  /** Nicknames that may not take the key now: unhealthy, draining. The ring stays as it is. */
  readonly exclude?: ReadonlySet<string>;
}

export interface BoundedLoad<N extends HashNode> {
  /** Undefined when the key is shed. O(1) while there is room where the key belongs. */
  take(key: Uint8Array | string, options?: TakeOptions): TakenPlace<N> | undefined;
  /** How much each nickname holds now. */
  loads(): ReadonlyMap<string, number>;
  /** Another ring; what nodes of both hold goes on counting. */
  update(ring: Ring<N>): void;
}

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam 2016): a node holds at
 * most `ceil(ratio × (held + 1) × weight / all weights)`. A key whose node is full is hashed anew,
 * as in Envoy: going on along the circle would pour all of it onto one neighbour. The bound is as
 * good as the view of the load: this one counts what it handed out itself.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function boundedLoad<N extends HashNode>(
  ring: Ring<N>,
  options: BoundedLoadOptions = {},
): BoundedLoad<N> {
  refuseUnknownKeys("boundedLoad", options, Object.keys(boundedLoadDefaults));
  const { ratio, rehashesMax, whenFull } = { ...boundedLoadDefaults, ...options };
  numberOption("ratio", ratio, { min: 1, max: 100, whole: false });
  numberOption("rehashesMax", rehashesMax, { min: 0, max: 64 });
  if (whenFull !== "shed" && whenFull !== "raise") {
    throw invalidOption("whenFull", '"shed" or "raise"', whenFull);
  }
  let circle = ring;
  let hosts = hostsOf(ring, new Map());
  let weights = sum(hosts, ({ weight }) => weight);
  let held = 0;

  /** The first of the key's places that has room below the bound, then any node that has. */
  const choose = (hash: number, fits: (host: Host) => boolean): N | undefined => {
    for (let attempt = 0; attempt <= rehashesMax; attempt++) {
      const place = attempt === 0 ? hash : avalanche(hash ^ Math.imul(attempt, 0x9e3779b9));
      const node = circle.at(place);
      if (fits(hostOf(hosts, node))) return node;
    }
    const { nodes } = circle;
    for (let step = 0; step < nodes.length; step++) {
      const node = nodes[(hash + step) % nodes.length] as N;
      if (fits(hostOf(hosts, node))) return node;
    }
    return undefined;
  };

  return {
    take(key, { exclude } = {}) {
      const may = ({ nickname }: Host): boolean => exclude?.has(nickname) !== true;
      const below = (shared: number) => (host: Host) =>
        may(host) && host.load < Math.ceil((ratio * (held + 1) * host.weight) / shared);
      const hash = murmur3(key);
      let node = choose(hash, below(weights));
      if (node === undefined && whenFull === "raise") {
        node = choose(hash, below(sum(hosts, (host) => (may(host) ? host.weight : 0))));
      }
      if (node === undefined) return undefined;
      const host = hostOf(hosts, node);
      host.load++;
      held++;
      let holds = true;
      return {
        node,
        release() {
          if (!holds) return;
          holds = false;
          host.load--;
          // A node that left took its load with it.
          if (hosts.get(host.identity) === host) held--;
        },
      };
    },
    loads: () => new Map(Array.from(hosts.values(), ({ nickname, load }) => [nickname, load])),
    update(next) {
      circle = next;
      hosts = hostsOf(next, hosts);
      weights = sum(hosts, ({ weight }) => weight);
      held = sum(hosts, ({ load }) => load);
    },
  };
}

interface Host {
  readonly identity: string;
  nickname: string;
  weight: number;
  load: number;
}

/** By identity, so that a renamed node keeps its load. */
function hostsOf(ring: Ring<HashNode>, before: ReadonlyMap<string, Host>): Map<string, Host> {
  return new Map(
    ring.nodes.map(({ nickname, hashedAs = nickname, weight = 1 }) => {
      const host = before.get(hashedAs) ?? { identity: hashedAs, nickname, weight, load: 0 };
      host.nickname = nickname;
      host.weight = weight;
      return [hashedAs, host];
    }),
  );
}

function hostOf(hosts: ReadonlyMap<string, Host>, { nickname, hashedAs }: HashNode): Host {
  return hosts.get(hashedAs ?? nickname) as Host;
}

function sum(hosts: ReadonlyMap<string, Host>, of: (host: Host) => number): number {
  let total = 0;
  for (const host of hosts.values()) total += of(host);
  return total;
}
