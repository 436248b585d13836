import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { createServiceClient, staticResolver } from "tenfold/discovery";

import { fetchEngines, findEngine } from "../../../tools/engines/index.ts";
import { type LocalProxy, type ProxySetup, startLocalProxy } from "./local-proxy.ts";
import { plainCaller } from "./plain-caller.ts";
import { barePolicies, type Choice, policies } from "./policies.ts";
import type { Answer } from "./seen-calls.ts";

/** Someone who calls the hosts, in its own way, over its own servers of them. */
export interface RealCaller {
  readonly name: string;
  /** Asks for so much work. @param key what it is about, for a policy with affinity */
  call(workMs: number, key: string): Promise<Answer>;
  close(): Promise<void>;
}

/** Limit of one attempt, for the proxies as for ours. */
const tryTimeoutMs = 2_000;

interface Planned {
  readonly name: string;
  /** @param ports of the caller's own servers, one a host */
  open(ports: readonly number[]): Promise<RealCaller>;
}

/** Our policies through the service client, and each proxy twice; what is missing is left out. */
export async function plannedCallers(
  folder: string,
  say: (line: string) => void,
): Promise<readonly Planned[]> {
  const bare = "bare round robin";
  const ours = Object.entries({ ...policies, [bare]: barePolicies[bare] as Choice });
  const planned: Planned[] = ours.map(([name, balancing]) => ({
    name,
    open: (ports) => Promise.resolve(throughClient(name, balancing, ports)),
  }));
  const missing = await fetchEngines(["haproxy", "nginx"], say);
  for (const [name, reason] of missing) say(`  without ${name}: ${reason}`);
  for (const name of ["haproxy", "nginx"] as const) {
    const engine = findEngine(name);
    if (engine === undefined) continue;
    const balancing = name === "haproxy" ? "HAProxy leastconn" : "nginx least_conn";
    for (const setup of ["plain", "tuned"] satisfies ProxySetup[]) {
      const own = join(folder, `${name}-${setup}`);
      planned.push({
        name: `${balancing}, ${setup}`,
        async open(ports) {
          mkdirSync(own, { recursive: true });
          const proxy = await startLocalProxy({ engine, setup, ports, folder: own, tryTimeoutMs });
          return throughProxy(`${balancing}, ${setup}`, proxy);
        },
      });
    }
  }
  return planned;
}

function throughClient(name: string, balancing: Choice, ports: readonly number[]): RealCaller {
  const work = ports.map((port, host) => ({ id: `s${host}`, address: "127.0.0.1", port }));
  const client = createServiceClient("work", {
    resolver: staticResolver({ work }),
    balancing,
    policy: { tryTimeoutMs },
  });
  return {
    name,
    async call(workMs, key) {
      const query = { ms: workMs.toFixed(2) };
      const reply = await client.request({ method: "GET", path: "/work", query, key });
      return { status: reply.status, text: reply.text() };
    },
    close: () => client.close(),
  };
}

function throughProxy(name: string, proxy: LocalProxy): RealCaller {
  const caller = plainCaller(proxy.port);
  return {
    name,
    call: (workMs) => caller.get(`/work?ms=${workMs.toFixed(2)}`),
    async close() {
      caller.close();
      await proxy.close();
    },
  };
}
