/** A host as far as the assignment cares. */
export interface Site {
  readonly name: string;
  readonly zone: string;
}

/** Processes that do the same and shall not die together. */
export interface SpreadGroup {
  readonly name: string;
  /** How many there are. */
  readonly count: number;
  /** What they are spread over first. */
  readonly spread: "zone" | "host";
  /** The hosts that may run them; undefined: all. */
  readonly hosts: readonly string[] | undefined;
}

/** A group with the host of each of its members, by index. */
interface Placed extends SpreadGroup {
  readonly at: string[];
}

/**
 * Which host runs which member of each group: spread over zones, then hosts, then so that all hosts
 * have about as many processes. Pure, so every reader of a fleet file computes the same.
 *
 * It is built up host by host in the file's order: the first takes all, every further one takes
 * over what makes the spread better, the last members first. So a host that is appended to the file
 * only takes over: nothing moves between the others. Its removal gives just that back.
 *
 * @returns by group, the host of each member
 */
export function assignGroups(
  sites: readonly Site[],
  groups: readonly SpreadGroup[],
): ReadonlyMap<string, readonly string[]> {
  const placed: Placed[] = groups.map((group) => ({ ...group, at: [] }));
  for (const [index, site] of sites.entries()) {
    const known = sites.slice(0, index + 1);
    const open = placed.filter(({ hosts }) => hosts === undefined || hosts.includes(site.name));
    for (const group of open) {
      if (group.at.length === 0) group.at.push(...Array<string>(group.count).fill(site.name));
      else spreadTo(site, group, known);
    }
    evenOut(site, open, placed, known);
  }
  return new Map(placed.map(({ name, at }) => [name, at]));
}

/** Moves members to the new host as long as that makes the group's spread better. */
function spreadTo(site: Site, group: Placed, known: readonly Site[]): void {
  for (;;) {
    const moves = known
      .filter(({ name }) => name !== site.name && group.at.includes(name))
      .map((from) => ({ from, gain: gainOf(group, from, site, known) }))
      .sort((a, b) => compareGains(a.gain, b.gain));
    const [best] = moves;
    if (best === undefined || compareGains(best.gain, [0, 0]) >= 0) return;
    moveOne(group, best.from, site);
  }
}

/** Moves to the new host, from those that have most, what no spread suffers by. */
function evenOut(
  site: Site,
  open: readonly Placed[],
  all: readonly Placed[],
  known: readonly Site[],
): void {
  const load = (name: string): number =>
    all.reduce((sum, { at }) => sum + at.filter((host) => host === name).length, 0);
  const takeOne = (): boolean => {
    const crowded = known
      .filter(({ name }) => load(name) - load(site.name) >= 2)
      .sort((a, b) => load(b.name) - load(a.name));
    for (const from of crowded) {
      const group = open.findLast(
        (each) =>
          each.at.includes(from.name) && compareGains(gainOf(each, from, site, known), [0, 0]) <= 0,
      );
      if (group === undefined) continue;
      moveOne(group, from, site);
      return true;
    }
    return false;
  };
  while (takeOne());
}

/** By how much a move changes the unevenness of a group, the weightier figure first. */
type Gain = readonly [number, number];

function gainOf(group: Placed, from: Site, to: Site, known: readonly Site[]): Gain {
  const zoneOf = new Map(known.map(({ name, zone }) => [name, zone]));
  const onHost = (name: string): number => group.at.filter((host) => host === name).length;
  const inZone = (zone: string): number =>
    group.at.filter((host) => zoneOf.get(host) === zone).length;
  // Of the sum of squares, halved: negative when the fuller one gives to the emptier.
  const byHost = onHost(to.name) - onHost(from.name) + 1;
  const byZone = from.zone === to.zone ? 0 : inZone(to.zone) - inZone(from.zone) + 1;
  return group.spread === "zone" ? [byZone, byHost] : [byHost, byZone];
}

function compareGains(a: Gain, b: Gain): number {
  return a[0] - b[0] || a[1] - b[1];
}

function moveOne(group: Placed, from: Site, to: Site): void {
  group.at[group.at.lastIndexOf(from.name)] = to.name;
}
