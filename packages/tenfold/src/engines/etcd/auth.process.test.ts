import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { agree, follow, pause } from "../../testing/coordinator-steps.ts";
import { type EtcdCluster, startEtcdCluster } from "../../testing/etcd-cluster.ts";
import { findEngine } from "../../testing/server-process.fixture.ts";
import { connectEtcd } from "./client.ts";
import type { EtcdOptions } from "./open-channel.ts";

const program = findEngine("etcd");
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";
const tokenTtlMs = 4_000;

describe.skipIf(program === undefined && !isRequired)(
  program === undefined ? "etcd (skipped: neither on PATH nor in .engines)" : "etcd with users",
  () => {
    let folder: string;
    let cluster: EtcdCluster;
    const as = (options: Partial<EtcdOptions>) =>
      connectEtcd({ endpoints: cluster.endpoints, ...options });
    /** Users, roles and permissions by etcd's JSON gateway. */
    const gateway = async (path: string, body: object): Promise<void> => {
      const { host, port } = cluster.members[0]?.address ?? {};
      const url = `http://${host}:${port}/v3/auth/${path}`;
      const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(await answer.text());
    };
    const base64 = (text: string): string => Buffer.from(text).toString("base64");

    beforeAll(async () => {
      if (program === undefined) throw new Error("TENFOLD_REQUIRE_ENGINES is set, without etcd.");
      folder = await mkdtemp(join(tmpdir(), "tenfold-auth-"));
      const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
      const file = (name: string): string => join(folder, name);
      await writeFile(file("public"), publicKey.export({ type: "spki", format: "pem" }));
      await writeFile(file("private"), privateKey.export({ type: "pkcs1", format: "pem" }));
      const jwt = `jwt,pub-key=${file("public")},priv-key=${file("private")},sign-method=RS256`;
      cluster = await startEtcdCluster({
        program,
        hosts: ["127.0.0.1"],
        flags: ["--auth-token", `${jwt},ttl=${tokenTtlMs}ms`, "--bcrypt-cost", "4"],
      });
      for (const user of ["root", "reader"]) {
        await gateway("user/add", { name: user, password: `of ${user}` });
        await gateway("role/add", { name: user });
        await gateway("user/grant", { user, role: user });
      }
      const grant = async (permType: string, from: string, to: string): Promise<void> => {
        const perm = { permType, key: base64(from), range_end: base64(to) };
        await gateway("role/grant", { name: "reader", perm });
      };
      await grant("READWRITE", "/mine/", "/mine0");
      await grant("READ", "/tenfold/generation", "");
      await gateway("enable", {});
    });
    afterAll(async () => {
      await cluster?.close();
      await rm(folder, { recursive: true, force: true });
    });

    test("a token is asked for, and again when its time is over, also under a watch", async () => {
      const client = as({ user: "reader", password: "of reader" });
      const put = (value: string) => client.transact({ change: [{ put: "/mine/a", value }] });
      await put("1");
      const followed = await follow(client, "/mine/");
      const session = await client.openSession({ ttlMs: 12_000 });
      await client.createOrdered({ prefix: "/mine/q/", value: "", session });
      for (let i = 0; i < 2; i++) {
        await pause(tokenTtlMs + 100);
        // Fifty calls that find it too old at once: they share the new one.
        const results = await Promise.all(Array.from({ length: 50 }, (_, n) => put(`${i}/${n}`)));
        expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(["applied"]));
      }
      expect(session.state).toBe("active");
      await agree(followed, client);
      await followed.stop();
      await client.close();
    });

    test("wrong credentials and missing rights are refused, and name what is wrong", async () => {
      const wrong: [Partial<EtcdOptions>, string, RegExp][] = [
        [{ user: "reader", password: "x" }, "/mine/a", /authentication failed/],
        [{ user: "nobody", password: "x" }, "/mine/a", /authentication failed/],
        [{ token: "x" }, "/mine/a", /invalid auth token/],
        [{}, "/mine/a", /user name is empty/],
        [{ user: "reader", password: "of reader" }, "/theirs/a", /permission denied/],
      ];
      for (const [options, key, says] of wrong) {
        const client = as(options);
        const refused = {
          code: "TENFOLD_COORDINATION_REFUSED",
          message: expect.stringMatching(says),
        };
        await expect(client.get(key)).rejects.toMatchObject(refused);
        await expect(client.transact({ change: [{ put: key, value: "1" }] })).rejects.toMatchObject(
          refused,
        );
        await client.close();
      }
      expect(() => as({ user: "reader" })).toThrow(/given together/);
    });

    test("without authentication it takes neither token nor user, and that is said", async () => {
      const open = await startEtcdCluster({ program: program as string, hosts: ["127.0.0.1"] });
      const says: [Partial<EtcdOptions>, RegExp][] = [
        [{ token: "x" }, /etcd takes none while its authentication is not enabled/],
        [{ user: "root", password: "x" }, /It knows no users: give neither user nor password/],
      ];
      try {
        for (const [options, advice] of says) {
          const client = connectEtcd({ endpoints: open.endpoints, ...options });
          await expect(client.get("/a")).rejects.toMatchObject({
            code: "TENFOLD_COORDINATION_REFUSED",
            message: expect.stringMatching(advice),
            retryable: false,
          });
          await client.close();
        }
      } finally {
        await open.close();
      }
    });
  },
);
