import { execFile, spawn } from "node:child_process";
import { rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import {
  type CoordinatorServer,
  findEngine,
  startEtcd,
  startNode,
} from "../../testing/server-process.fixture.ts";

const [etcdctl, etcd] = [findEngine("etcdctl") ?? "", findEngine("etcd") ?? ""];
const isMissing = etcdctl === "" || etcd === "";
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";
const env = { ETCDCTL_API: "3", PATH: process.env.PATH ?? "" };

/** What a command printed and whether it failed; where one fails it says why. */
type Command = (args: readonly string[], input?: string) => Promise<string>;

function commandOn(server: CoordinatorServer, ...flags: string[]): Command {
  const endpoint = `127.0.0.1:${server.address.port}`;
  return async (args, input) => {
    const child = spawn(etcdctl, [`--endpoints=${endpoint}`, ...flags, ...args], { env });
    // Most commands end without reading what they are given.
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
    });
    child.stderr.on("data", (chunk) => {
      // With the time and place of the log line they would never be the same.
      said += /Error.*|\S+ is healthy/.exec(String(chunk).replace(/^\{.*\}\n/gm, ""))?.[0] ?? "";
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    const own = /"(cluster_id|member_id|raft_term)":\d+/g;
    return `${code} ${said.replaceAll(endpoint, "SERVER").replaceAll(own, "")}`;
  };
}

describe.skipIf(isMissing && !isRequired)(
  isMissing ? "etcdctl (skipped: neither on PATH nor in .engines)" : "etcdctl on the node",
  () => {
    let [node, real]: CoordinatorServer[] = [];
    let [onNode, onReal]: Command[] = [];

    beforeAll(async () => {
      if (isMissing) {
        throw new Error("TENFOLD_REQUIRE_ENGINES is set, but etcd is not to be found.");
      }
      [node, real] = await Promise.all([startNode(), startEtcd(etcd)]);
      [onNode, onReal] = [commandOn(node), commandOn(real)];
    });
    afterAll(() => Promise.all([node?.close(), real?.close()]));

    /** Runs the commands on both, one by one; each must print the same. */
    const same = async (...commands: (string | [string, string])[]): Promise<string[]> => {
      const said: string[] = [];
      for (const command of commands) {
        const [line, input] = typeof command === "string" ? [command, ""] : command;
        const args = line.split(" ").map((word) => (word === '""' ? "" : word));
        const both = await Promise.all([onNode?.(args, input), onReal?.(args, input)]);
        expect(both[0], line).toBe(both[1]);
        said.push(both[0] ?? "");
      }
      return said;
    };

    test("put, get and del print what they print on etcd, refusals too", async () => {
      await same(
        ...["put a 1", "put ab 2", "put b 3", "put a 4 --prev-kv", "put a --ignore-value"],
        ...['get ""', "get a", "get nothing", "get a b", "get --prefix a", "get --from-key ab"],
        ...["get --prefix a --keys-only", "get --prefix a --limit=1 -w json --rev=4"],
        ...["get --prefix a --order=DESCEND --sort-by=CREATE", "get --prefix a --sort-by=VALUE"],
        ...["get --prefix a --sort-by=VERSION --order=DESCEND", "get --prefix a --sort-by=MODIFY"],
        ...["get --prefix a --print-value-only", "get a --consistency=s", "get a --rev=2"],
        ...["get --prefix a --rev=3", "get --prefix a --rev=99", "put a", "put --ignore-value zz"],
        ...["put --lease=77 a 1", "del a --prev-kv", "get --prefix a --rev=5", "del --prefix a"],
        ...['del --from-key ""', "del nothing", "get a --rev=2"],
      );
    });

    test("txn: compares, both branches, deep errors", async () => {
      const [first] = await same(
        ["txn", 'value("t") = "1"\n\nput t 2\nget t\n\nput t 1\nget t\n\n'],
        ["txn", 'value("t") = "1"\nversion("u") = "0"\n\nput u 1\nget t\ndel t\n\nget u\n\n'],
        ["txn", 'create("u") > "1"\nmod("u") < "100"\nlease("u") = "0"\n\nget u\n\n\n'],
        ["txn", 'version("u") != "1"\n\n\n\nput u 2\nput v 3\n\n'],
        ["txn", "\nput u 1\nput u 2\n\n\n"],
        ["txn", "\nput u 1\ndel u\n\n\n"],
        ["txn", "\nget u\n\n\n"],
      );
      expect(first).toMatch(/^0 FAILURE\s+OK\s+t\s+1/);
    });

    test("compaction, in the past and in the future, and what then is no longer there", async () => {
      await same("put c 1", "put c 2", "del c", "put d 1", "put c 3");
      const head = /"revision":(\d+)/.exec((await onReal?.(["get", "c", "-w", "json"])) ?? "")?.[1];
      const at = Number(head);
      await same(
        ...[`compaction ${at - 2}`, `compaction ${at - 3}`, `compaction ${at + 1}`],
        ...[`get c --rev=${at - 3}`, `get --prefix c --rev=${at - 2}`, `get c --rev=${at - 1}`],
        ...["endpoint hashkv", "get c"],
        ...[`compaction ${at} --physical`, "endpoint hashkv"],
      );
    });

    test("hashes agree with etcd's after any history", async () => {
      await same("put h1 1", "put h2 2", "del --prefix h", "put h2 3", "endpoint hashkv");
      await same(["txn", "\nput x1 1\nput x2 2\ndel h2\n\n\n"], "put x1 2", "endpoint hashkv");
    });

    test("lease, and what is tied to it", async () => {
      const granted = await onNode?.(["lease", "grant", "60"]);
      const id = /lease (\w+) granted with TTL\(60s\)/.exec(granted ?? "")?.[1] ?? "";
      const run = async (line: string): Promise<string> => (await onNode?.(line.split(" "))) ?? "";
      await run(`put --lease ${id} leased 1`);
      expect(await run(`lease timetolive ${id} --keys`)).toMatch(
        /granted with TTL\(60s\), remaining\(\d+s\), attached keys\(\[leased\]\)/,
      );
      expect(await run(`lease keep-alive --once ${id}`)).toMatch(/keepalived with TTL\(60\)/);
      expect(await run("lease list")).toContain(id);
      expect(await run(`lease revoke ${id}`)).toBe(`0 lease ${id} revoked\n`);
      expect(await run("get leased")).toBe("0 ");
      await same("lease revoke 77", "lease timetolive 77", "lease grant 9000000001");
    });

    test("watch: from the past, with previous values, by prefix, filtered by what is asked", async () => {
      const head = await onReal?.(["get", "c", "-w", "json"]);
      const from = Number(/"revision":(\d+)/.exec(head ?? "")?.[1]) + 1;
      await same("put w/1 1", "put w/1 2", "put w/2 1", "del w/1");
      const watching = [node, real].map((server) => {
        const args = ["watch", "--prefix", "w/", `--rev=${from}`, "--prev-kv"];
        const flag = `--endpoints=127.0.0.1:${server?.address.port}`;
        const child = spawn(etcdctl, [flag, ...args], { env });
        const watch = { child, output: "" };
        child.stdout.on("data", (chunk) => {
          watch.output += chunk;
        });
        return watch;
      });
      await same("put w/3 1");
      const [mine, theirs] = watching;
      await vi.waitFor(
        () => {
          expect(theirs?.output).toContain("w/3\n1\n");
          expect(mine?.output).toBe(theirs?.output);
        },
        { timeout: 45_000 },
      );
      for (const { child } of watching) child.kill("SIGKILL");
      await same(`watch --rev=1 w/1`);
    });

    test("lock and elect run with what they guard", async () => {
      const [locked] = await same("lock resource echo held");
      expect(locked).toBe("0 held\n");
      const elected = spawn(
        etcdctl,
        [`--endpoints=127.0.0.1:${node?.address.port}`, "elect", "office", "ann"],
        { env },
      );
      let said = "";
      elected.stdout.on("data", (chunk) => {
        said += chunk;
      });
      await vi.waitFor(() => expect(said).toMatch(/^office\/\w+\nann\n/), { timeout: 45_000 });
      expect(await onNode?.(["get", "--prefix", "office/", "--print-value-only"])).toBe("0 ann\n");
      elected.kill("SIGTERM");
    });

    test("endpoint health and status, member list, defrag, alarm list", async () => {
      expect(await onNode?.(["endpoint", "health"])).toMatch(/^0 SERVER is healthy/);
      expect(await onNode?.(["endpoint", "status"])).toMatch(/^0 SERVER, 1, 3\.4\.\d+, .*, true/);
      expect(await onNode?.(["member", "list", "-w", "json"])).toContain('"clientURLs":["http://');
      expect(await onNode?.(["alarm", "list"])).toBe("0 ");
      const before = await onNode?.(["endpoint", "hashkv"]);
      expect(await onNode?.(["defrag"])).toContain("Finished defragmenting");
      expect(await onNode?.(["endpoint", "hashkv"])).toBe(before);
    });

    test("snapshot save takes what the node sends for a whole snapshot", async () => {
      const file = join(tmpdir(), `tenfold-snapshot-${process.pid}`);
      expect(await onNode?.(["snapshot", "save", file])).toContain("Snapshot saved at");
      expect((await stat(file)).size % 512).toBe(32);
      await rm(file);
    });

    test("a password is the token, a wrong one is refused", async () => {
      const server = await startNode({ NODE_TOKEN: "secret" });
      try {
        expect(await commandOn(server, "--user=any:secret")(["put", "a", "1"])).toBe("0 OK\n");
        const wrong = await commandOn(server, "--user=any:wrong")(["get", "a"]);
        expect(wrong).toContain("authentication failed, invalid user ID or password");
        const none = await promisify(execFile)(
          etcdctl,
          [`--endpoints=127.0.0.1:${server.address.port}`, "get", "a"],
          { env },
        ).catch((error: unknown) => String(error));
        expect(none).toContain("invalid auth token");
      } finally {
        await server.close();
      }
    });
  },
);
