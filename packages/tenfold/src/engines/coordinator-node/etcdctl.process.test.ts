import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import {
  type CoordinatorServer,
  findEngine,
  startNode,
} from "../../testing/server-process.fixture.ts";

const etcdctl = findEngine("etcdctl") ?? "";
const isMissing = etcdctl === "";
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";
const token = "secret";

describe.skipIf(isMissing && !isRequired)(
  isMissing ? "etcdctl (skipped: neither on PATH nor in .engines)" : "etcdctl against the node",
  () => {
    let server: CoordinatorServer;
    const env = { ETCDCTL_API: "3" };
    const flags = (): string[] => [
      `--endpoints=127.0.0.1:${server.address.port}`,
      // It cannot be given a token; it gets one for the password.
      `--user=anyone:${token}`,
    ];
    const run = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(etcdctl, [...flags(), ...args], { env })).stdout;

    beforeAll(async () => {
      if (isMissing) {
        throw new Error("TENFOLD_REQUIRE_ENGINES is set, but etcdctl is not to be found.");
      }
      server = await startNode({ NODE_TOKEN: token });
    });
    afterAll(() => server?.close());

    test("put, get, del", async () => {
      expect(await run("put", "a", "1")).toBe("OK\n");
      expect(await run("put", "ab", "2")).toBe("OK\n");
      expect(await run("get", "--prefix", "a")).toBe("a\n1\nab\n2\n");
      expect(await run("get", "--prefix", "a", "--order=DESCEND", "--sort-by=CREATE")).toBe(
        "ab\n2\na\n1\n",
      );
      expect(await run("get", "", "--from-key", "--limit=1")).toBe("a\n1\n");
      expect(await run("put", "a", "3", "--prev-kv")).toBe("OK\na\n1\n");
      expect(await run("del", "a", "--prev-kv")).toBe("1\na\n3\n");
      expect(await run("get", "a")).toBe("");
    });

    test("txn", async () => {
      await run("put", "t", "1");
      const child = spawn(etcdctl, [...flags(), "txn"], { env });
      child.stdin.end('value("t") = "1"\nversion("u") = "0"\n\nput u 1\nget t\n\nget u\n\n');
      let output = "";
      for await (const chunk of child.stdout) output += chunk;
      expect(output).toMatch(/SUCCESS\s+OK\s+t\s+1/);
    });

    test("lease", async () => {
      const id = /lease (\w+) granted/.exec(await run("lease", "grant", "60"))?.[1] ?? "";
      await run("put", "--lease", id, "leased", "1");
      expect(await run("lease", "timetolive", id, "--keys")).toMatch(/attached keys\(\[leased\]\)/);
      expect(await run("lease", "keep-alive", "--once", id)).toMatch(/keepalived with TTL\(60\)/);
      expect(await run("lease", "list")).toContain(id);
      await run("lease", "revoke", id);
      expect(await run("get", "leased")).toBe("");
    });

    test("watch, from the past and on", async () => {
      await run("put", "w/1", "1");
      const child = spawn(etcdctl, [...flags(), "watch", "--prefix", "w/", "--rev=1"], { env });
      let output = "";
      child.stdout.on("data", (chunk) => {
        output += chunk;
      });
      await vi.waitFor(() => expect(output).toBe("PUT\nw/1\n1\n"), { timeout: 10_000 });
      await run("del", "w/1");
      await vi.waitFor(() => expect(output).toBe("PUT\nw/1\n1\nDELETE\nw/1\n\n"), {
        timeout: 10_000,
      });
      child.kill("SIGKILL");
    });

    test("a wrong password is refused", async () => {
      const args = [flags()[0] as string, "--user=anyone:wrong", "get", "a"];
      await expect(promisify(execFile)(etcdctl, args, { env })).rejects.toThrow(
        "authentication failed",
      );
    });
  },
);
