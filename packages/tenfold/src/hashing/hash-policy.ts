import { TenfoldError } from "../runtime/errors.ts";
import { refuseUnknownKeys } from "../runtime/options.ts";
import { checkedNodes, type HashNode, takeName, weightInvalid } from "./hash-node.ts";
import { jump } from "./jump.ts";
import { ketama } from "./ketama.ts";
import { type KetamaDialect, type KetamaServer, ketamaDialects } from "./ketama-dialects.ts";
import type { KeyHash } from "./key-hash.ts";
import { maglev } from "./maglev.ts";
import { murmur3 } from "./murmur3.ts";
import { rendezvous } from "./rendezvous.ts";
import { ring } from "./ring.ts";

export type HashPolicyName = "ring" | "rendezvous" | "maglev" | "jump" | "modulo" | KetamaDialect;

/** Which node has a key, whatever the way; for comparing one way with another. */
export interface HashPolicy {
  readonly name: HashPolicyName;
  /** By identity: the first nickname; of a server its name, or else `host:port`. */
  readonly weights: ReadonlyMap<string, number>;
  /** The identity of the key's node. */
  ownerOf(key: string): string;
}

type Nodes = readonly HashNode[];
interface Kind {
  /** Options beside `policy` and `nodes`. */
  readonly options: readonly string[];
  readonly nodeFields: readonly string[];
  make(nodes: unknown[], options: Readonly<Record<string, unknown>>): Omit<HashPolicy, "name">;
}

const nodeFields = ["nickname", "weight", "hashedAs"];
const identityOf = ({ nickname, hashedAs }: HashNode): string => hashedAs ?? nickname;

const kinds: Readonly<Record<HashPolicyName, Kind>> = {
  ring: {
    options: ["pointsPerWeight"],
    nodeFields,
    make: (nodes, options) => ofNodes(nodes as Nodes, (checked) => ring(checked, options)),
  },
  rendezvous: {
    options: [],
    nodeFields,
    make: (nodes) => ofNodes(nodes as Nodes, rendezvous),
  },
  maglev: {
    options: ["tableSize"],
    nodeFields,
    make: (nodes, options) => ofNodes(nodes as Nodes, (checked) => maglev(checked, options)),
  },
  jump: numbered((key, count) => jump(key, count)),
  modulo: numbered((key, count) => murmur3(key) % count),
  ...(Object.fromEntries(
    Object.keys(ketamaDialects).map((dialect) => [dialect, ofDialect(dialect as KetamaDialect)]),
  ) as Record<KetamaDialect, Kind>),
};

/**
 * A policy from its configuration, as it may stand in a JSON file:
 * `{ "policy": "ring", "nodes": [{ "nickname": "cache-1", "weight": 2 }] }`. Policies: ring,
 * rendezvous, maglev; jump and modulo, whose nodes are numbered in the order of the list; and the
 * ketama dialects, whose nodes have `host`, `port`, `weight` and `name`.
 *
 * @throws TENFOLD_HASHING_CONFIG_INVALID, and what the policy itself refuses
 */
export function hashPolicy(config: unknown): HashPolicy {
  if (!isObject(config)) throw invalid("must be an object", config);
  const { policy, nodes, ...options } = config;
  const kind = Object.hasOwn(kinds, String(policy)) ? kinds[policy as HashPolicyName] : undefined;
  if (kind === undefined) {
    throw invalid(`"policy" must be one of ${Object.keys(kinds).join(", ")}`, policy);
  }
  refuseUnknownKeys(`The policy ${policy}`, options, kind.options, unknownKey);
  if (!Array.isArray(nodes)) throw invalid('"nodes" must be a list', nodes);
  for (const [at, node] of nodes.entries()) {
    if (!isObject(node)) throw invalid(`nodes[${at}] must be an object`, node);
    refuseUnknownKeys(`nodes[${at}]`, node, kind.nodeFields, unknownKey);
  }
  return { name: policy as HashPolicyName, ...kind.make(nodes, options) };
}

const unknownKey = "TENFOLD_HASHING_CONFIG_INVALID";

function ofNodes(
  nodes: Nodes,
  make: (nodes: Nodes) => { pick(key: string): HashNode },
): Omit<HashPolicy, "name"> {
  const made = make(nodes);
  const weights = new Map(checkedNodes(nodes).map(({ identity, weight }) => [identity, weight]));
  return { weights, ownerOf: (key) => identityOf(made.pick(key)) };
}

/** Nodes that are numbered: their order counts, and they have no weights. */
function numbered(bucketOf: (key: string, count: number) => number): Kind {
  return {
    options: [],
    nodeFields,
    make(given) {
      const nodes = given as Nodes;
      for (const { node, weight } of checkedNodes(nodes)) {
        if (weight !== 1) throw weightInvalid(node.nickname, weight, "1, since buckets are alike");
      }
      const identities = nodes.map(identityOf);
      return {
        weights: new Map(identities.map((identity) => [identity, 1])),
        ownerOf: (key) => identities[bucketOf(key, identities.length)] as string,
      };
    },
  };
}

function ofDialect(dialect: KetamaDialect): Kind {
  return {
    options: ["keyHash"],
    nodeFields: ["host", "port", "weight", "name"],
    make(nodes, options) {
      const servers = nodes as KetamaServer[];
      const made = ketama(dialect, servers, options as { keyHash?: KeyHash });
      const label = ({ name, host, port = 11_211 }: KetamaServer): string =>
        name ?? `${host}:${port}`;
      const labels = new Map(servers.map((server) => [server, label(server)]));
      const taken = new Set<string>();
      for (const name of labels.values()) takeName(taken, name);
      return {
        weights: new Map(servers.map((server) => [label(server), server.weight ?? 1])),
        ownerOf: (key) => labels.get(made.pick(key)) as string,
      };
    },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(expected: string, came: unknown): TenfoldError {
  const shown = JSON.stringify(came) ?? String(came);
  return new TenfoldError(
    "TENFOLD_HASHING_CONFIG_INVALID",
    `In a configuration of hashing ${expected}, got ${shown.slice(0, 100)}.`,
  );
}
