import { TenfoldError } from "../runtime/errors.ts";

/** A host's ports, as offsets: processes, then store servers, then the fixed ones when moved. */
const portRanges = Object.freeze({ processes: 0, stores: 500, fixed: 900, end: 1_000 });
const portsEachShard = 10;

/** Hands out the ports of one host, in the order of the calls. */
export interface HostPorts {
  next(): number;
  /** The wanted port itself, or one of the host's own when the fleet is moved. */
  fixed(wanted: number): number;
  /** Where the servers of that many shards more have their ports, ten a shard. */
  shards(count: number): number;
}

/**
 * @param own the first of the host's own ports, as the fleet file has it
 * @param movedTo where they begin instead; fixed ports are then given from them, too
 * @throws from its functions TENFOLD_FLEET_DEFINITION_INVALID when ports run out, or those of the
 * file collide, moved or not: the fleet's processes read the file without the move
 */
export function hostPorts(own: number, movedTo: number | undefined): HostPorts {
  const base = movedTo ?? own;
  let port = base + portRanges.processes;
  let storePort = base + portRanges.stores;
  let moved = base + portRanges.fixed;
  const given = new Set<number>();
  return {
    next() {
      if (port === base + portRanges.stores) throw tooMany("processes");
      return port++;
    },
    fixed(wanted) {
      if (moved === base + portRanges.end) throw tooMany("fixed ports");
      const ours = wanted >= own && wanted < own + portRanges.end;
      if (ours || given.has(wanted)) throw portTwice(wanted, own);
      given.add(wanted);
      return movedTo === undefined ? wanted : moved++;
    },
    shards(count) {
      const first = storePort;
      storePort += portsEachShard * count;
      if (storePort > base + portRanges.fixed) throw tooMany("shards");
      return first;
    },
  };
}

function portTwice(port: number, base: number): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_DEFINITION_INVALID",
    `Fleet file: port ${port} is given to two. Fixed ports must differ, and be outside of ` +
      `${base} … ${base + portRanges.end - 1}, which the host uses itself.`,
  );
}

function tooMany(what: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_DEFINITION_INVALID",
    `Fleet file: one host has room for 249 processes, 40 shards and 100 fixed ports; there are ` +
      `more ${what}.`,
  );
}
