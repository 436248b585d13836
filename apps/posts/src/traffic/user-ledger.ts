/** One page of a user's posts as a client sees it. */
export interface SeenPage {
  readonly ids: readonly bigint[];
  readonly limit: number;
  readonly hasNext: boolean;
}

/** What a client found wrong; every text names the ids. */
export interface Findings {
  /** Acknowledged before the read began, and not shown where it belongs. */
  readonly missed: readonly string[];
  /** Not newest first, or not in the order in which the writes were acknowledged. */
  readonly disordered: readonly string[];
  /** Shown twice. */
  readonly repeated: readonly string[];
  /** A page cut short although more follows, or longer than asked for. */
  readonly misshapen: readonly string[];
}

/** What one user knows to have written: the judge of every answer that this user gets. */
export interface UserLedger {
  /** A write was acknowledged; called in the order of the answers. */
  acknowledged(id: bigint): Findings;
  /** What is acknowledged right now: take it before a read is sent. */
  before(): readonly bigint[];
  /** Judges pages read one after the other from the newest on, given `before` of their first. */
  judge(before: readonly bigint[], pages: readonly SeenPage[]): Findings;
  /** The ids of all acknowledged posts. */
  ids(): readonly bigint[];
}

export function userLedger(): UserLedger {
  const acknowledged: bigint[] = [];
  return {
    acknowledged(id) {
      const last = acknowledged.at(-1);
      acknowledged.push(id);
      const disordered =
        last !== undefined && id <= last ? [`${id} was acknowledged after ${last}`] : [];
      return { missed: [], disordered, repeated: [], misshapen: [] };
    },
    before: () => [...acknowledged],
    judge,
    ids: () => [...acknowledged],
  };
}

function judge(before: readonly bigint[], pages: readonly SeenPage[]): Findings {
  const shown = pages.flatMap(({ ids }) => ids);
  const seen = new Set(shown);
  const complete = pages.at(-1)?.hasNext === false;
  const oldest = shown.at(-1);
  const covered = (id: bigint): boolean => complete || (oldest !== undefined && id >= oldest);
  return {
    missed: before.filter((id) => covered(id) && !seen.has(id)).map((id) => `${id}`),
    disordered: shown.flatMap((id, index) => {
      const next = shown[index + 1];
      return next !== undefined && next > id ? [`${next} after ${id}`] : [];
    }),
    repeated: seen.size === shown.length ? [] : duplicates(shown).map((id) => `${id}`),
    misshapen: pages.flatMap(({ ids, limit, hasNext }) =>
      ids.length > limit || (hasNext && ids.length < limit)
        ? [`${ids.length} of ${limit}, ${hasNext ? "more follows" : "the last page"}`]
        : [],
    ),
  };
}

function duplicates(ids: readonly bigint[]): bigint[] {
  return ids.filter((id, index) => ids.indexOf(id) !== index);
}
