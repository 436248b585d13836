/** A fault of etcd itself that a client can notice. */
export interface EtcdFault {
  /** `etcd-io/etcd#15220` */
  readonly issue: string;
  readonly what: string;
  /** What `connectEtcd` does about it, and what is left of it. */
  readonly here: string;
  /** By release line the patches that have it: from the first on, until it was mended. */
  readonly patches: Readonly<Record<string, readonly [from: number, mendedIn: number]>>;
}

/** From etcd's change logs and the record of its robustness tests; lines not named are sound. */
export const etcdFaults: readonly EtcdFault[] = Object.freeze([
  {
    issue: "etcd-io/etcd#15220",
    what: "a watch's progress mark may run ahead of events that are still to come",
    here: "harmless: no marks are asked for, and none is used",
    patches: { "3.4": [0, 25], "3.5": [0, 8] },
  },
  {
    issue: "etcd-io/etcd#15271",
    what: "a watch goes back in time when its member gets a snapshot from the leader",
    here: "harmless: events that were told before are passed over",
    patches: { "3.4": [0, 25], "3.5": [0, 8] },
  },
  {
    issue: "etcd-io/etcd#15247",
    what: "a leader that stood still revokes leases that were renewed at its successor",
    here: "a session can end before its time: its holder learns of it by the next renewal",
    patches: { "3.4": [0, 31], "3.5": [0, 13] },
  },
  {
    issue: "etcd-io/etcd#17529",
    what: "a watch that is far behind loses events when its history is compacted",
    here: "a map may lack the last state of a key until the watch is taken up again",
    patches: { "3.4": [0, 31], "3.5": [0, 13] },
  },
  {
    issue: "etcd-io/etcd#17780",
    what: "the revision may go back after a crash during a compaction",
    here: "refused as a replaced store until its generation is raised",
    patches: { "3.4": [0, 32], "3.5": [0, 14] },
  },
  {
    issue: "etcd-io/etcd#18089",
    what: "a watch that begins at a compacted revision misses the deletion made at it",
    here: "harmless: a watch is taken up at the last revision that was told, not after it",
    patches: { "3.4": [0, 34], "3.5": [0, 16] },
  },
  {
    issue: "etcd-io/etcd#19179",
    what: "a watch misses a deletion when it begins at the revision of a compaction cut short",
    here: "harmless: a watch is taken up at the last revision that was told, not after it",
    patches: { "3.4": [0, 36], "3.5": [0, 18] },
  },
  {
    issue: "etcd-io/etcd#20221",
    what: "a watch from a revision still to come gets events from before it",
    here: "harmless: events that were told before are passed over",
    patches: { "3.4": [0, 38], "3.5": [0, 22], "3.6": [0, 2] },
  },
  {
    issue: "etcd-io/etcd#14758",
    what: "a renewal may be acknowledged for a lease that is being revoked",
    here: "a session may be believed for up to its time after its entries are gone",
    patches: { "3.4": [0, 38], "3.5": [0, 23], "3.6": [0, 5] },
  },
  {
    issue: "etcd-io/etcd#20418",
    what: "a member whose process stood still may serve an old state as linearizable",
    here: "reads behind what this client has seen are made again; others' writes may be missing",
    patches: { "3.4": [20, 42], "3.5": [0, 28], "3.6": [0, 9] },
  },
] satisfies EtcdFault[]);

/** The faults of a version such as "3.4.23"; none of one that is not written like that. */
export function etcdFaultsOf(version: string): readonly EtcdFault[] {
  const [, line = "", patch] = /^(\d+\.\d+)\.(\d+)/.exec(version) ?? [];
  return etcdFaults.filter(({ patches }) => {
    const [from, mendedIn] = patches[line] ?? [0, 0];
    return Number(patch) >= from && Number(patch) < mendedIn;
  });
}
