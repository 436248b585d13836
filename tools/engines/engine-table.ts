/** A real engine that tests run against; what it is and where Debian has it. */
export interface EngineRow {
  /** The programs that tests start, all in one folder. */
  readonly programs: readonly string[];
  /** Programs on PATH that serve as well. */
  readonly alsoKnownAs: readonly string[];
  /** The programs' folder inside the unpacked packages. */
  readonly unpackedFolder: string;
  /** Debian packages to unpack. */
  readonly packages: readonly string[];
  /** Unpack what the packages need and this machine lacks, too. */
  readonly withLibraries: boolean;
  /** An explicit path of the first program, for a build of one's own. */
  readonly variable: string;
  /** Size of the download, for people. */
  readonly megabytes: number;
  readonly usedFor: string;
}

export const engineTable = {
  etcd: {
    programs: ["etcd", "etcdctl"],
    alsoKnownAs: [],
    unpackedFolder: "usr/bin",
    packages: ["etcd-server", "etcd-client"],
    withLibraries: false,
    variable: "TENFOLD_ENGINE_ETCD",
    megabytes: 13,
    usedFor: "the coordinator's conformance suite on a real etcd",
  },
  chromium: {
    programs: ["chromium-headless-shell"],
    alsoKnownAs: ["chromium", "chromium-browser", "google-chrome"],
    // The one in usr/bin is a script that names an absolute path.
    unpackedFolder: "usr/lib/chromium",
    packages: ["chromium-headless-shell", "chromium-common"],
    withLibraries: true,
    variable: "TENFOLD_ENGINE_CHROMIUM",
    megabytes: 100,
    usedFor: "looking at the console",
  },
  faketime: {
    programs: ["faketime"],
    alsoKnownAs: [],
    unpackedFolder: "usr/bin",
    packages: ["faketime", "libfaketime"],
    withLibraries: false,
    variable: "TENFOLD_ENGINE_FAKETIME",
    megabytes: 1,
    usedFor: "ids under clocks that step",
  },
  haproxy: {
    programs: ["haproxy"],
    alsoKnownAs: [],
    unpackedFolder: "usr/sbin",
    packages: ["haproxy"],
    withLibraries: true,
    variable: "TENFOLD_ENGINE_HAPROXY",
    megabytes: 3,
    usedFor: "balancing beside HAProxy's leastconn",
  },
  nginx: {
    programs: ["nginx"],
    alsoKnownAs: [],
    unpackedFolder: "usr/sbin",
    packages: ["nginx"],
    withLibraries: true,
    variable: "TENFOLD_ENGINE_NGINX",
    megabytes: 1,
    usedFor: "balancing beside nginx's least_conn",
  },
  redis: {
    programs: ["redis-server"],
    alsoKnownAs: [],
    unpackedFolder: "usr/bin",
    // The server is a link to a program of the tools.
    packages: ["redis-server", "redis-tools"],
    withLibraries: true,
    variable: "TENFOLD_ENGINE_REDIS",
    megabytes: 2,
    usedFor: "the fence of Redis on a real Redis",
  },
} as const satisfies Record<string, EngineRow>;

export type EngineName = keyof typeof engineTable;
