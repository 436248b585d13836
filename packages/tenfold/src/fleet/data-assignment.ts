import type { Site } from "./host-assignment.ts";

/** What holds data: the servers of a shard, the primary first, or a single process. */
export interface DataGroup {
  readonly name: string;
  readonly count: number;
  /** The hosts that may run it; undefined: all. */
  readonly hosts: readonly string[] | undefined;
}

/**
 * Which host keeps which data: the members of a group on different zones, then different hosts, the
 * heads of the groups dealt out over all. Pure. Unlike services, data does not follow a change of
 * the hosts: a file that would move a primary or a queue is refused when a host starts (homes.ts),
 * and `hosts` at the store or queue keeps it where it is.
 *
 * @returns by group, the host of each member
 */
export function assignData(
  sites: readonly Site[],
  groups: readonly DataGroup[],
): ReadonlyMap<string, readonly string[]> {
  const dealt = acrossZones(sites);
  const heads = new Map<string, number>();
  const all = new Map<string, number>();
  const placed = new Map<string, readonly string[]>();
  for (const { name, count, hosts } of groups) {
    const open = dealt.filter((site) => hosts === undefined || hosts.includes(site.name));
    const taken: Site[] = [];
    for (let member = 0; member < count; member++) {
      const cost = (site: Site): readonly number[] => [
        taken.filter(({ zone }) => zone === site.zone).length,
        taken.filter((each) => each.name === site.name).length,
        member === 0 ? (heads.get(site.name) ?? 0) : 0,
        all.get(site.name) ?? 0,
      ];
      const best = open.reduce((a, b) => (isLess(cost(b), cost(a)) ? b : a));
      if (member === 0) heads.set(best.name, (heads.get(best.name) ?? 0) + 1);
      all.set(best.name, (all.get(best.name) ?? 0) + 1);
      taken.push(best);
    }
    placed.set(
      name,
      taken.map((site) => site.name),
    );
  }
  return placed;
}

/** The hosts one zone after the other, so that neighbours are apart. */
function acrossZones(sites: readonly Site[]): readonly Site[] {
  const zones = Map.groupBy(sites, ({ zone }) => zone);
  const longest = Math.max(...[...zones.values()].map(({ length }) => length));
  return Array.from({ length: longest }, (_, round) =>
    [...zones.values()].flatMap((zone) => zone[round] ?? []),
  ).flat();
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && (a[at] as number) < (b[at] as number);
}
