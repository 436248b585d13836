import { join } from "node:path";

import { numberOption } from "../../runtime/options.ts";

/** One server of a shard: its name, where it listens, where its data is, where it came from. */
export interface PostgresServerSpec {
  /** `pg-posts-0-1`: store, shard, member. Member 1 was made as primary; the others were copied. */
  readonly name: string;
  readonly member: number;
  /** The server that it was, or will be, copied from; undefined for member 1. */
  readonly seededFrom: string | undefined;
  /** The server that a standby follows when it is new. */
  readonly follows: string | undefined;
  readonly address: string;
  readonly port: number;
  /** Its own folder; the database is in `data` below it. */
  readonly folder: string;
}

export interface PostgresShard {
  /** `posts-0` */
  readonly name: string;
  /** The first is the primary as first made. */
  readonly servers: readonly PostgresServerSpec[];
}

export interface PostgresShardPlanOptions {
  readonly store: string;
  /** 0 … 40; none when somebody else runs the servers. */
  readonly shards: number;
  /** Standbys a shard, 0 … 5. */
  readonly standbys: number;
  /**
   * Where a member, counted from 1, listens. The first port is the store's on that host: shard n
   * takes ten from `portsFrom + 10 n`.
   */
  readonly place: (
    shard: number,
    member: number,
  ) => { readonly address: string; readonly portsFrom: number };
  /** The store's folder, wherever a server runs. */
  readonly folder: string;
}

const portsEach = 10;

/**
 * Which servers a store consists of. Pure: every reader of a fleet file computes the same plan.
 * The second standby is copied from the first, so that the primary pays for one copy only; both
 * then follow the primary.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function postgresShardPlan(options: PostgresShardPlanOptions): readonly PostgresShard[] {
  const { store, place, folder } = options;
  const shards = numberOption("shards", options.shards, { min: 0, max: 40 });
  const standbys = numberOption("standbys", options.standbys, { min: 0, max: 5 });
  return Array.from({ length: shards }, (_, shard) => {
    const nameOf = (member: number): string => `pg-${store}-${shard}-${member}`;
    const servers = Array.from({ length: 1 + standbys }, (_, index) => {
      const member = index + 1;
      const name = nameOf(member);
      const { address, portsFrom } = place(shard, member);
      const from = numberOption("portsFrom", portsFrom, { min: 1024, max: 65_000 });
      return {
        name,
        member,
        seededFrom: member === 1 ? undefined : nameOf(Math.min(member - 1, 2)),
        follows: member === 1 ? undefined : nameOf(1),
        address,
        port: from + shard * portsEach + index,
        folder: join(folder, name),
      };
    });
    return { name: `${store}-${shard}`, servers };
  });
}
