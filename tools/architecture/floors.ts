/**
 * Which room of the library stands on which floor; imports go down, or stay on a floor without a
 * circle. A new room gets its line here.
 */
export const floors: Readonly<Record<string, number>> = {
  runtime: 0,
  identifiers: 1,
  hashing: 1,
  balancing: 1,
  resilience: 1,
  caching: 1,
  telemetry: 1,
  coordination: 2,
  flags: 2,
  discovery: 2,
  queueing: 2,
  partitioning: 2,
  replication: 2,
  gateway: 3,
  fleet: 3,
};

/** Rooms that stand beside the floors: they may import every floor. */
export const annexes: readonly string[] = ["engines", "simulation", "testing"];

/** What may import an annex; every other room gets what it needs handed in. */
export const annexUsers: Readonly<Record<string, readonly string[]>> = {
  engines: ["engines", "testing", "simulation", "fleet"],
  simulation: ["simulation", "testing"],
  testing: ["testing"],
};

/** Where the wall clock, timers and chance may be read directly. */
export const ambientRooms: readonly string[] = ["runtime", "engines", "simulation", "testing"];

export interface Place {
  /** The workspace folder (`packages/tenfold`), or the first folder of the path. */
  readonly workspace: string;
  /** The room inside the library (`coordination`, `engines`); empty elsewhere. */
  readonly room: string;
  /** Folder under `src/` that is exported: `coordination`, `engines/etcd`; empty elsewhere. */
  readonly exported: string;
}

/** Where a file of the tree belongs, by its path from the root. */
export function placeOf(path: string): Place {
  const [first = "", second = "", third, ...rest] = path.split("/");
  const inWorkspace = first === "packages" || first === "apps";
  const workspace = inWorkspace ? `${first}/${second}` : first;
  if (workspace !== "packages/tenfold" || third !== "src" || rest.length < 2) {
    return { workspace, room: "", exported: "" };
  }
  const [room = "", inner = ""] = rest;
  const exported = room === "engines" ? `engines/${inner}` : room;
  return { workspace, room, exported };
}
