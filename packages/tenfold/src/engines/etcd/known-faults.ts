/** A fault of etcd itself that a client can notice. */
export interface EtcdFault {
  /** `etcd-io/etcd#15220`; of a fault that was seen here alone its name in words. */
  readonly issue: string;
  readonly what: string;
  /** What `connectEtcd` does about it, and what is left of it. */
  readonly here: string;
  /** By release line the patches that have it: from the first on, until it was mended. */
  readonly patches: Readonly<Record<string, readonly [from: number, mendedIn: number]>>;
  /** Why no test provokes it on a real server; without it one does. */
  readonly unseen?: string;
  /** Cases of `coordinatorConformance` that it can fail, and what such a failure says. */
  readonly fails?: { readonly property: number; readonly saying: RegExp };
}

/** Not mended by what is known here. */
const never = Number.POSITIVE_INFINITY;
const needsSnapshot = "it needs a member thousands of entries behind that is sent a snapshot";
const needsCrash = "it needs a crash between two writes inside a compaction";

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
    unseen: needsSnapshot,
  },
  {
    issue: "etcd-io/etcd#15247",
    what: "a leader that stood still revokes leases that were renewed at its successor",
    here: "a session can end before its time: its holder learns of it by the next renewal",
    patches: { "3.4": [0, 31], "3.5": [0, 13] },
    unseen: "a leader that goes on does so about every third time: by hand, not by a test",
    fails: { property: 19, saying: /'lost' !== 'active'/ },
  },
  {
    issue: "etcd-io/etcd#17529",
    what: "a watch that is far behind loses events when its history is compacted",
    here: "a map may lack the last state of a key until the watch is taken up again",
    patches: { "3.4": [0, 31], "3.5": [0, 13] },
    unseen: "it needs a compaction that overtakes a starved watch between two of its turns",
    fails: { property: 14, saying: /watch and list agree/ },
  },
  {
    issue: "etcd-io/etcd#17780",
    what: "the revision may go back after a crash during a compaction",
    here: "refused as a replaced store until its generation is raised",
    patches: { "3.4": [0, 32], "3.5": [0, 14] },
    unseen: needsCrash,
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
    unseen: needsCrash,
  },
  {
    issue: "etcd-io/etcd#20221",
    what: "a watch from a revision still to come gets events from before it",
    here: "harmless: events that were told before are passed over",
    patches: { "3.4": [0, 38], "3.5": [0, 22], "3.6": [0, 2] },
    unseen: needsSnapshot,
  },
  {
    issue: "etcd-io/etcd#14758",
    what: "a renewal may be acknowledged for a lease that is being revoked",
    here: "a session may be believed for up to its time after its entries are gone",
    patches: { "3.4": [0, 38], "3.5": [0, 23], "3.6": [0, 5] },
    unseen: "from outside the renewal looks as if it had come before the end",
    fails: { property: 8, saying: /does not believe in what the server has ended/ },
  },
  {
    issue: "etcd-io/etcd#20418",
    what: "a member whose process stood still may serve an old state as linearizable",
    here: "reads behind what this client has seen are made again; others' writes may be missing",
    patches: { "3.4": [20, 42], "3.5": [0, 28], "3.6": [0, 9] },
    unseen: "it needs a pause between two steps of one read",
    fails: { property: 15, saying: /is broken; history/ },
  },
  {
    issue: "etcd-io/etcd#14325",
    what: "the hash of the revision to which was compacted last is refused, though it can be read",
    here: "harmless: no hash is asked for",
    patches: { "3.4": [0, 27], "3.5": [0, 10] },
  },
  {
    issue: "unreported: the hash of an emptied store",
    what: "the hash of a store without keys changes while a compaction is being carried out",
    here: "harmless: no hash is asked for",
    patches: { "3.4": [23, 24] },
  },
  {
    issue: "etcd-io/etcd#22445",
    what:
      "a transaction may delete all keys from one on and put one of them; if that put keeps its " +
      "value or lease, the server ends, and ends again at every start",
    here: "harmless: this client deletes single keys and writes whole values",
    patches: { "3.4": [0, never], "3.5": [0, never], "3.6": [0, never], "3.7": [0, never] },
  },
  {
    issue: "etcd-io/etcd#22376",
    what: "a key deleted and put in one transaction is lost when that revision is compacted to",
    here: "harmless: a server refuses that of single keys, which this client alone deletes",
    patches: { "3.4": [34, never], "3.5": [16, never], "3.6": [0, never], "3.7": [0, never] },
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
