import { errorText, TenfoldError } from "../runtime/errors.ts";
import { shown } from "../runtime/options.ts";

/** A database server of a shard. */
export interface ShardNode {
  /** `pg-posts-0-1` */
  readonly id: string;
  readonly address: string;
  readonly port: number;
}

/** A shard's entry of the topology map: who takes the writes, and who follows. */
export interface Topology {
  /** Grows with every change of the entry. */
  readonly version: number;
  /** Grows with every change of the primary; who stores data refuses an older one. */
  readonly epoch: number;
  readonly primary: ShardNode;
  readonly standbys: readonly ShardNode[];
}

/** The version of the JSON form; a reader refuses every other. */
const formatVersion = 1;

export function encodeTopology(topology: Topology): string {
  const { version, epoch, primary, standbys } = topology;
  const plain = ({ id, address, port }: ShardNode): ShardNode => ({ id, address, port });
  return JSON.stringify({
    format: formatVersion,
    version,
    epoch,
    primary: plain(primary),
    standbys: standbys.map(plain),
  });
}

/**
 * @throws TENFOLD_REPLICATION_FORMAT_UNKNOWN when a newer Tenfold wrote it
 * @throws TENFOLD_REPLICATION_TOPOLOGY_INVALID
 */
export function decodeTopology(json: string): Topology {
  const { format, version, epoch, primary, standbys } = parsed(json);
  if (format !== formatVersion) {
    throw new TenfoldError(
      "TENFOLD_REPLICATION_FORMAT_UNKNOWN",
      `This topology entry has format ${format}; only ${formatVersion} is known here.`,
    );
  }
  if (!Array.isArray(standbys)) throw invalid("standbys must be a list");
  const nodes = [node(primary), ...standbys.map(node)] as const;
  if (new Set(nodes.map(({ id }) => id)).size !== nodes.length)
    throw invalid("an id is there twice");
  return {
    version: counter("version", version),
    epoch: counter("epoch", epoch),
    primary: nodes[0],
    standbys: nodes.slice(1),
  };
}

function parsed(json: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(json)) as Record<string, unknown>;
  } catch (cause) {
    throw invalid(`it is no JSON: ${errorText(cause)}`);
  }
}

function counter(name: string, value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
  throw invalid(`${name} must be a whole number from 1, got ${shown(value)}`);
}

function node(value: unknown): ShardNode {
  const { id, address, port } = Object(value) as Record<string, unknown>;
  if (typeof id !== "string" || id === "") throw invalid(`a server's id is ${id}`);
  if (typeof address !== "string" || address === "") throw invalid(`${id} has no address`);
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalid(`the port of ${id} is ${port}`);
  }
  return { id, address, port };
}

function invalid(what: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_REPLICATION_TOPOLOGY_INVALID",
    `This topology entry cannot be used: ${what}.`,
  );
}
