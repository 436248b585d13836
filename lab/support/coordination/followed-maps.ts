import { Etcd3 } from "etcd3";
import type { Coordinator, Entry } from "tenfold/coordination";
import type { SocketAddress } from "tenfold/runtime";

/** A map that a reader keeps by a watch. */
export interface FollowedMap {
  hasBegun(): boolean;
  /** Which revision it knows of a key. */
  revision(key: string): bigint | undefined;
  /** How many keys have another entry than the listed one, or none. */
  missing(listed: readonly Entry[]): number;
  /** Takes the listing for its own, so that a loss is counted once. */
  heal(listed: readonly Entry[]): void;
  /** How often a key was told at an older revision than before. */
  wentBack(): number;
  stop(): Promise<void>;
}

/** By the library's watch. */
export function followed(client: Coordinator, prefix: string): FollowedMap {
  const kept = keptMap();
  const stop = new AbortController();
  const running = kept.follow(client, prefix, stop.signal);
  return {
    ...kept,
    async stop() {
      stop.abort();
      await running;
    },
  };
}

/** Takes its watch up after a cut without looking at what happened meanwhile. */
export function followedFromHead(
  client: Coordinator,
  prefix: string,
): FollowedMap & { cut(): void } {
  const kept = keptMap();
  let stop = new AbortController();
  let running = kept.follow(client, prefix, stop.signal);
  return {
    ...kept,
    cut() {
      stop.abort();
      stop = new AbortController();
      running = kept.follow(client, prefix, stop.signal, 1);
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}

/** By the watcher of the npm package, told to come back as soon as ours does. */
export async function followedByEtcd3(
  addresses: readonly SocketAddress[],
  prefix: string,
): Promise<FollowedMap> {
  const kept = keptMap();
  const again = { duration: 25, next: () => again };
  const client = new Etcd3({
    hosts: addresses.map(({ host, port }) => `http://${host}:${port}`),
    grpcOptions: { "grpc.initial_reconnect_backoff_ms": 25, "grpc.max_reconnect_backoff_ms": 500 },
    faultHandling: { watchBackoff: again },
  });
  const watcher = await client.watch().prefix(prefix).create();
  watcher.on("put", ({ key, mod_revision }) => kept.put(String(key), BigInt(mod_revision)));
  watcher.on("delete", ({ key }) => kept.drop(String(key)));
  return {
    ...kept,
    hasBegun: () => true,
    async stop() {
      await watcher.cancel();
      client.close();
    },
  };
}

function keptMap() {
  const map = new Map<string, bigint>();
  let wentBack = 0;
  let hasBegun = false;
  const put = (key: string, revision: bigint): void => {
    if ((map.get(key) ?? -1n) > revision) wentBack++;
    map.set(key, revision);
  };
  const drop = (key: string): void => void map.delete(key);
  return {
    put,
    drop,
    hasBegun: () => hasBegun,
    revision: (key: string) => map.get(key),
    wentBack: () => wentBack,
    missing(listed: readonly Entry[]): number {
      const now = new Map(listed.map(({ key, revision }) => [key, revision]));
      const all = new Set([...now.keys(), ...map.keys()]);
      return [...all].filter((key) => now.get(key) !== map.get(key)).length;
    },
    heal(listed: readonly Entry[]): void {
      map.clear();
      for (const { key, revision } of listed) map.set(key, revision);
    },
    /** @param unread how many batches it passes over */
    async follow(client: Coordinator, prefix: string, signal: AbortSignal, unread = 0) {
      let index = 0;
      for await (const { changes } of client.watch(prefix, { signal })) {
        hasBegun = true;
        if (index++ < unread) continue;
        for (const change of changes) {
          if (change.kind === "put") put(change.entry.key, change.entry.revision);
          else drop(change.key);
        }
      }
    },
  };
}
