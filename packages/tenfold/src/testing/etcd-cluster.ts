import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type SocketAddress, systemNetwork } from "../runtime/network.ts";

export interface EtcdClusterOptions {
  /** The path of etcd 3.4 or newer. */
  readonly program: string;
  /** One member on each of these addresses of this machine; default three on 127.0.0.1. */
  readonly hosts?: readonly string[];
  /** Default 50. */
  readonly heartbeatMs?: number;
  /**
   * Default 500, for a new leader in about a second. etcd grants no lease under 1.5 times this,
   * rounded up to whole seconds.
   */
  readonly electionMs?: number;
  /** Further flags of every member, such as `--auth-token=simple`. */
  readonly flags?: readonly string[];
  /** Instead of `http`: the flags must then name certificate and key. */
  readonly scheme?: "http" | "https";
  /** Added to the environment of every member, such as a clock that runs wrong. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One etcd process with a data folder and ports of its own. */
export interface EtcdMember {
  readonly name: string;
  /** Where clients reach it. */
  readonly address: SocketAddress;
  readonly dataFolder: string;
  /** The running process, or the last one. */
  readonly child: ChildProcess;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** SIGSTOP: a member that is there and does not answer. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** SIGKILL, and the same again on the same data and ports; resolves when its port is open. */
  restart(): Promise<void>;
}

export interface EtcdCluster {
  readonly members: readonly EtcdMember[];
  /** `etcd://h1:p1,h2:p2,h3:p3` for `connectEtcd` (with `https`: a list is wanted, see members). */
  readonly endpoints: string;
  /** The leader that a majority now agrees on; waits until there is one. Plain http only. */
  leader(): Promise<EtcdMember>;
  /** Kills the members and removes their data. Idempotent. */
  close(): Promise<void>;
}

/** How long the members may take to start, or to agree on a leader. */
const patienceMs = 90_000;

/**
 * Starts real etcd on free ports, for tests and experiments. Resolves when the ports are open and,
 * with plain http, a leader is agreed on.
 */
export async function startEtcdCluster(options: EtcdClusterOptions): Promise<EtcdCluster> {
  const hosts = options.hosts ?? ["127.0.0.1", "127.0.0.1", "127.0.0.1"];
  const folder = await mkdtemp(join(tmpdir(), "tenfold-etcd-"));
  const plans: MemberPlan[] = [];
  for (const [index, host] of hosts.entries()) {
    const [client, peer] = [await freePort(host), await freePort(host)];
    const name = `m${index}`;
    plans.push({ name, host, client, peer, dataFolder: join(folder, name) });
  }
  const members = plans.map((plan) => etcdMember(options, plan, plans));
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= Promise.all(members.map((member) => member.kill())).then(() =>
      rm(folder, { recursive: true, force: true }),
    );
    return closed;
  };
  try {
    // A member answers only once a majority is there, so all start at once.
    await Promise.all(members.map((member) => member.restart()));
    if (options.scheme !== "https") await agreedLeader(members);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    members,
    endpoints: `etcd://${plans.map(({ host, client }) => `${host}:${client}`).join(",")}`,
    leader: () => agreedLeader(members),
    close,
  };
}

interface MemberPlan {
  readonly name: string;
  readonly host: string;
  readonly client: number;
  readonly peer: number;
  readonly dataFolder: string;
}

function etcdMember(
  options: EtcdClusterOptions,
  plan: MemberPlan,
  all: readonly MemberPlan[],
): EtcdMember {
  const args = flagsOf(options, plan, all);
  const env = { ...process.env, ...options.env };
  const address = { host: plan.host, port: plan.client };
  let child: ChildProcess | undefined;

  const current = (): ChildProcess => {
    if (child === undefined) throw new Error(`${plan.name} was never started`);
    return child;
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || isOver(child)) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  };
  return {
    name: plan.name,
    address,
    dataFolder: plan.dataFolder,
    get child() {
      return current();
    },
    kill,
    pause: () => void current().kill("SIGSTOP"),
    resume: () => void current().kill("SIGCONT"),
    async restart() {
      await kill();
      child = spawn(options.program, args, { env, stdio: ["ignore", "ignore", "pipe"] });
      await listening(address, child);
    },
  };
}

function flagsOf(
  { heartbeatMs = 50, electionMs = 500, flags = [], scheme = "http" }: EtcdClusterOptions,
  { name, host, client, peer, dataFolder }: MemberPlan,
  all: readonly MemberPlan[],
): string[] {
  const clientUrl = `${scheme}://${host}:${client}`;
  const peerUrl = `http://${host}:${peer}`;
  const cluster = all.map((one) => `${one.name}=http://${one.host}:${one.peer}`);
  return [
    ...["--name", name, "--data-dir", dataFolder, "--log-level", "error"],
    ...["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
    ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
    ...["--initial-cluster", cluster.join(","), "--initial-cluster-state", "new"],
    ...["--heartbeat-interval", `${heartbeatMs}`, "--election-timeout", `${electionMs}`],
    ...flags,
  ];
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function listening(address: SocketAddress, child: ChildProcess): Promise<void> {
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-2_000);
  });
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });
  const deadline = performance.now() + patienceMs;
  for (;;) {
    if (failure !== undefined) throw failure;
    if (isOver(child)) throw new Error(`etcd ended with ${child.exitCode}: ${said}`);
    const socket = await systemNetwork.connect(address).catch(() => undefined);
    if (socket !== undefined) {
      socket.destroy();
      return;
    }
    if (performance.now() > deadline) throw new Error(`etcd did not listen in time: ${said}`);
    await pause(20);
  }
}

async function agreedLeader(members: readonly EtcdMember[]): Promise<EtcdMember> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const heard = await Promise.all(members.map((member) => statusOf(member)));
    const votes = new Map<string, number>();
    for (const one of heard) if (one) votes.set(one.leader, (votes.get(one.leader) ?? 0) + 1);
    const [leader] = [...votes].find(([, count]) => count > members.length / 2) ?? [];
    const at = heard.findIndex((one) => one !== undefined && one.id === leader);
    if (members[at] !== undefined) return members[at];
    if (performance.now() > deadline) throw new Error("the members agreed on no leader in time");
    await pause(20);
  }
}

/** Who it is and whom it follows, by etcd's JSON gateway; undefined when it does not answer. */
async function statusOf({
  address: { host, port },
}: EtcdMember): Promise<{ id: string; leader: string } | undefined> {
  try {
    const answer = await fetch(`http://${host}:${port}/v3/maintenance/status`, {
      method: "POST",
      body: "{}",
      signal: AbortSignal.timeout(5_000),
    });
    const status = (await answer.json()) as { header: { member_id: string }; leader?: string };
    // Without a leader the field is left out.
    if (status.leader === undefined) return undefined;
    return { id: status.header.member_id, leader: status.leader };
  } catch {
    return undefined;
  }
}

const handedOut = new Set<number>();

/** Neither what the operating system hands out by itself nor what fleets of tests take. */
async function freePort(host: string): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 10_000);
    if (handedOut.has(port)) continue;
    const listener = await systemNetwork.listen({ host, port }, () => {}).catch(() => undefined);
    if (listener === undefined) continue;
    await listener.close();
    handedOut.add(port);
    return port;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
