import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Coordinator } from "../../coordination/coordinator.ts";
import type { SocketAddress } from "../../runtime/network.ts";
import { agree, eventually, follow } from "../../testing/coordinator-steps.ts";
import { type EtcdCluster, startEtcdCluster } from "../../testing/etcd-cluster.ts";
import { createFaultProxy } from "../../testing/fault-proxy.ts";
import { findEngine } from "../../testing/server-process.fixture.ts";
import { connectEtcd } from "./client.ts";

const program = findEngine("etcd");
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";

/** etcd's messages as its JSON gateway writes them: 64-bit numbers as text, bytes as base64. */
interface GatewayKeyValue {
  readonly key: string;
  readonly value?: string;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly lease?: string;
}
interface GatewayEvent {
  readonly type?: "DELETE";
  readonly kv: GatewayKeyValue;
}
interface GatewayAnswer {
  readonly header: { readonly revision: string };
  readonly kvs?: readonly GatewayKeyValue[];
  readonly succeeded?: boolean;
  readonly responses?: readonly { response_range?: { kvs?: readonly GatewayKeyValue[] } }[];
  readonly ID?: string;
  readonly TTL?: string;
  readonly grantedTTL?: string;
  readonly keys?: readonly string[];
  readonly result?: { readonly TTL?: string; readonly events?: readonly GatewayEvent[] };
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const text = (encoded = ""): string => Buffer.from(encoded, "base64").toString();
/** Keys and values in which a wrong length, encoding or sign would show. */
const odd = ["a", "é日本\u{1f600}", ' \n"\\', "\ufeff", "x".repeat(200), "y".repeat(70_000)];

describe.skipIf(program === undefined && !isRequired)(
  program === undefined
    ? "etcd (skipped: neither on PATH nor in .engines)"
    : "our wire and etcd's own JSON gateway tell the same",
  () => {
    let cluster: EtcdCluster;
    let client: Coordinator;
    const post = async (path: string, body: object, signal?: AbortSignal): Promise<Response> => {
      const { host, port } = cluster.members[0]?.address ?? {};
      const init = { method: "POST", body: JSON.stringify(body), ...(signal && { signal }) };
      const answer = await fetch(`http://${host}:${port}/v3/${path}`, init);
      if (!answer.ok) throw new Error(await answer.text());
      return answer;
    };
    const gateway = async (path: string, body: object): Promise<GatewayAnswer> =>
      (await post(path, body)).json() as Promise<GatewayAnswer>;
    const range = async (prefix: string): Promise<readonly GatewayKeyValue[]> => {
      const end = `${prefix.slice(0, -1)}0`;
      const body = { key: base64(prefix), range_end: base64(end), sort_target: "KEY" };
      return (await gateway("kv/range", body)).kvs ?? [];
    };
    /** An entry as the gateway tells it, in our words. */
    const told = (kv: GatewayKeyValue) => ({
      key: text(kv.key),
      value: text(kv.value),
      createRevision: BigInt(kv.create_revision),
      revision: BigInt(kv.mod_revision),
      sessionId: kv.lease,
    });
    const plain = async (prefix: string) =>
      (await client.list(prefix)).entries.map(({ token: _, ...entry }) => entry);

    beforeAll(async () => {
      if (program === undefined) throw new Error("TENFOLD_REQUIRE_ENGINES is set, without etcd.");
      cluster = await startEtcdCluster({ program, hosts: ["127.0.0.1"] });
      client = connectEtcd({ endpoints: cluster.endpoints });
    });
    afterAll(async () => {
      await client?.close();
      await cluster?.close();
    });

    test("puts and ranges, both ways", async () => {
      for (const [i, value] of odd.entries()) {
        const name = value.slice(0, 200);
        await client.transact({ change: [{ put: `/r/ours/${name}`, value }] });
        await gateway("kv/put", { key: base64(`/r/theirs/${name}`), value: base64(value) });
        if (i % 2 === 0) await client.transact({ change: [{ put: `/r/ours/${name}`, value: "" }] });
      }
      const entries = await plain("/r/");
      expect(entries).toHaveLength(odd.length * 2);
      const sorted = (await range("/r/")).map(told).sort((a, b) => (a.key < b.key ? -1 : 1));
      expect(entries).toEqual(sorted);
    });

    test("transactions: every condition holds and fails for both", async () => {
      const session = await client.openSession({ ttlMs: 10_000 });
      const [a, b, c] = ["/t/a", "/t/b", "/t/c"] as const;
      const compareA = { key: base64(a), result: "EQUAL" };
      // While "a" is the session's and "b" is not there all hold; the other way round none does.
      const pairs = (revision: bigint) => [
        {
          ours: { key: a, revision },
          theirs: { ...compareA, target: "MOD", mod_revision: String(revision) },
        },
        {
          ours: { key: a, is: "present" as const },
          theirs: { key: base64(a), target: "CREATE", result: "GREATER", create_revision: "0" },
        },
        {
          ours: { key: b, is: "absent" as const },
          theirs: { key: base64(b), target: "CREATE", result: "EQUAL", create_revision: "0" },
        },
        {
          ours: { key: a, ownedBy: session },
          theirs: { ...compareA, target: "LEASE", lease: session.id },
        },
      ];
      const made = await client.transact({ change: [{ put: a, value: "1", session }] });
      const { revision } = made as { revision: bigint };
      const outcomes = async (pair: ReturnType<typeof pairs>[number]) => {
        const change = [{ put: c, value: "ours" }];
        const mine = await client.transact({ when: [pair.ours], change, otherwiseRead: [c] });
        const put = { request_put: { key: base64(c), value: base64("theirs") } };
        const read = { request_range: { key: base64(c) } };
        const body = { compare: [pair.theirs], success: [put], failure: [read] };
        const other = await gateway("kv/txn", body);
        const reads = other.responses?.flatMap((one) => one.response_range?.kvs ?? []) ?? [];
        const seen = mine.outcome === "refused" ? mine.reads.map(({ value }) => value) : [];
        expect(seen).toEqual(reads.map(({ value }) => text(value)));
        return [mine.outcome === "applied", other.succeeded ?? false];
      };
      for (const pair of pairs(revision)) expect(await outcomes(pair)).toEqual([true, true]);
      await client.transact({ change: [{ put: b, value: "" }, { delete: a }] });
      for (const pair of pairs(revision)) expect(await outcomes(pair)).toEqual([false, false]);
      expect(await plain("/t/")).toEqual((await range("/t/")).map(told));
      await session.close();
    });

    test("leases: granted, renewed, revoked, both ways", async () => {
      const session = await client.openSession({ ttlMs: 5_000 });
      const { key } = await client.createOrdered({ prefix: "/l/", value: "v", session });
      const ask = () => gateway("lease/timetolive", { ID: session.id, keys: true });
      const lease = await ask();
      expect([lease.ID, lease.grantedTTL]).toEqual([session.id, "5"]);
      expect(lease.keys?.map(text)).toEqual([key]);
      const renewed = await gateway("lease/keepalive", { ID: session.id });
      expect(renewed.result?.TTL).toBe("5");
      await session.close();
      expect((await ask()).TTL).toBe("-1");

      const theirs = await gateway("lease/grant", { TTL: "30" });
      await gateway("kv/put", { key: base64("/l/g"), value: base64("v"), lease: theirs.ID });
      expect((await client.get("/l/g"))?.sessionId).toBe(theirs.ID);
      // A session that ends from outside is lost to its holder by the next renewal.
      const other = await client.openSession({ ttlMs: 5_000 });
      await gateway("lease/revoke", { ID: other.id });
      await eventually("its holder hears of it", () => other.state === "lost");
      await gateway("lease/revoke", { ID: theirs.ID });
      expect(await client.get("/l/g")).toBeUndefined();
    });

    test("watches: the same events in the same order, whoever writes", async () => {
      const from = (await client.list("/w/")).revision + 1n;
      const stop = new AbortController();
      const create = { key: base64("/w/"), range_end: base64("/w0"), start_revision: String(from) };
      const stream = (await post("watch", { create_request: create }, stop.signal)).body;
      const theirs: string[] = [];
      const reading = readLines(stream, ({ result }) => {
        for (const { type, kv } of result?.events ?? []) {
          theirs.push(`${type ?? "PUT"} ${text(kv.key)} ${kv.mod_revision}`);
        }
      });
      const followed = await follow(client, "/w/");
      for (let i = 0; i < 20; i++) {
        await client.transact({ change: [{ put: `/w/${i % 3}`, value: String(i) }] });
        await gateway("kv/put", { key: base64(`/w/${i % 5}`), value: base64(`g${i}`) });
        if (i % 4 === 3) await gateway("kv/deleterange", { key: base64(`/w/${i % 5}`) });
      }
      await client.transact({ change: [{ put: "/w/last", value: "" }] });
      await eventually("both have heard the last", () => {
        return followed.entries.has("/w/last") && theirs.at(-1)?.includes("/w/last") === true;
      });
      const ours = followed.batches.flatMap(({ changes, revision }) =>
        changes.map((change) =>
          change.kind === "put"
            ? `PUT ${change.entry.key} ${change.entry.revision}`
            : `DELETE ${change.key} ${revision}`,
        ),
      );
      // A slow reader may be told several revisions at once; the last of each key must be there.
      const last = (events: readonly string[]) => {
        const byKey = new Map(events.map((event) => [event.split(" ")[1], event]));
        return [...byKey.values()].filter((event) => event.startsWith("PUT")).sort();
      };
      expect(last(ours)).toEqual(last(theirs));
      expect(theirs.length).toBeGreaterThanOrEqual(46);
      stop.abort();
      await reading;
      await followed.stop();
    });

    test("a watch that was cut off takes up megabytes in parts, no revision split", async () => {
      const proxy = await createFaultProxy({
        target: cluster.members[0]?.address as SocketAddress,
      });
      const { host, port } = proxy.address;
      const reader = connectEtcd({ endpoints: `etcd://${host}:${port}` });
      const followed = await follow(reader, "/f/");
      proxy.state = "cut";
      const value = "x".repeat(50_000);
      for (let i = 0; i < 80; i++) {
        // Two keys a revision, which the parts of 1.5 MiB do not come out even with.
        const change = ["a", "b"].map((name) => ({ put: `/f/${i}/${name}`, value: value + i }));
        await client.transact({ change });
      }
      proxy.state = "pass";
      await agree(followed, client);
      for (const batch of followed.batches) expect(batch.changes.length % 2).toBe(0);
      expect(followed.entries.get("/f/79/b")?.value).toBe(`${value}79`);
      await followed.stop();
      await reader.close();
      await proxy.close();
    });

    test("a deletion at the very revision that is compacted is not missed", async () => {
      const proxy = await createFaultProxy({
        target: cluster.members[0]?.address as SocketAddress,
      });
      const reader = connectEtcd({ endpoints: `http://127.0.0.1:${proxy.address.port}` });
      await client.transact({ change: [{ put: "/c/a", value: "1" }] });
      const followed = await follow(reader, "/c/");
      proxy.state = "cut";
      const gone = await client.transact({ change: [{ delete: "/c/a" }] });
      await client.transact({ change: [{ put: "/c/b", value: "1" }] });
      const { revision } = gone as { revision: bigint };
      await gateway("kv/compaction", { revision: String(revision), physical: true });
      proxy.state = "pass";
      await agree(followed, client);
      await followed.stop();
      await reader.close();
      await proxy.close();
    });

    test("bytes of other programs are an error, not a guess", async () => {
      await gateway("kv/put", { key: "L28v/w==", value: base64("v") });
      const odd = { code: "TENFOLD_COORDINATION_ANSWER_INVALID" };
      await expect(client.list("/o/")).rejects.toMatchObject(odd);
      await gateway("kv/put", { key: base64("/ov"), value: "/w==" });
      await expect(client.get("/ov")).rejects.toMatchObject(odd);
      await gateway("kv/deleterange", { key: "L28v/w==" });
      expect((await client.list("/o/")).entries).toEqual([]);
    });
  },
);

/** The gateway sends one JSON object a line, for as long as the watch lives. */
async function readLines(
  body: ReadableStream<Uint8Array> | null,
  hear: (answer: GatewayAnswer) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of body ?? []) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") hear(JSON.parse(line));
    }
  } catch {
    // The test has heard enough.
  }
}
