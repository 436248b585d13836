import type { Coordinator } from "../coordination/coordinator.ts";
import { mapCases } from "./coordinator-map-cases.ts";
import { sessionCases } from "./coordinator-session-cases.ts";
import type { CoordinatorCase, CoordinatorGround, CoordinatorNeed } from "./coordinator-steps.ts";
import { watchCases } from "./coordinator-watch-cases.ts";
import type { FaultProxy } from "./fault-proxy.ts";

export interface CoordinatorConformanceOptions {
  /** A new client of the same server; with a proxy, one that reaches the server through it. */
  connect(through?: FaultProxy): Promise<Coordinator>;
  /** Stands before the server; its state is set back after every case. */
  readonly proxy?: FaultProxy;
  /** Ends the server as a crash would, and starts it on the same data and address. */
  restart?(): Promise<void>;
  /** Makes the server forget its history up to the present. */
  compact?(): Promise<void>;
}

export interface CoordinatorConformanceCase {
  readonly name: string;
  /** Why it cannot be run with these options, in words; undefined when it can. */
  readonly needs?: string;
  run(): Promise<void>;
}

/**
 * What every engine of the coordinator port must do, as cases for any test runner: run each that
 * needs nothing, one after the other; a case that rejects has failed. The slowest takes about ten
 * seconds.
 */
export function coordinatorConformance(
  options: CoordinatorConformanceOptions,
): readonly CoordinatorConformanceCase[] {
  const all = Object.entries({ ...mapCases, ...watchCases, ...sessionCases });
  return all.map(([name, one], index) => {
    // By key: a runner may start its proxy only after it has listed the cases.
    const missing = (one.needs ?? []).filter((need) => !(need in options));
    const run = () => runCase(options, one, `/conformance/${index}/`);
    return missing.length === 0 ? { name, run } : { name, run, needs: words(missing) };
  });
}

async function runCase(
  options: CoordinatorConformanceOptions,
  one: CoordinatorCase,
  prefix: string,
): Promise<void> {
  const clients: Coordinator[] = [];
  const connect = async (through?: FaultProxy): Promise<Coordinator> => {
    const client = await options.connect(through);
    clients.push(client);
    return client;
  };
  const { proxy } = options;
  const ground: CoordinatorGround = {
    prefix,
    connect: () => connect(),
    connectThroughProxy: () => connect(proxy),
    proxy: proxy as FaultProxy,
    restart: async () => options.restart?.(),
    compact: async () => options.compact?.(),
  };
  try {
    await one.run(ground);
  } finally {
    if (proxy !== undefined) {
      proxy.state = "pass";
      proxy.cutAfterBytes(Number.POSITIVE_INFINITY);
    }
    await Promise.all(clients.map((client) => client.close()));
  }
}

function words(needs: readonly CoordinatorNeed[]): string {
  const meaning = {
    proxy: "a proxy before a server",
    restart: "a server that can be restarted",
    compact: "a server that keeps history",
  };
  return `needs ${needs.map((need) => meaning[need]).join(" and ")}`;
}
