import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect as connectTcp, createServer as createTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { certificateAuthority } from "../../testing/certificates.ts";
import { eventually } from "../../testing/coordinator-steps.ts";
import { type EtcdCluster, startEtcdCluster } from "../../testing/etcd-cluster.ts";
import { findEngine } from "../../testing/server-process.fixture.ts";
import { connectEtcd } from "./client.ts";
import type { EtcdOptions } from "./open-channel.ts";

const program = findEngine("etcd");
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";

/** The code and text of a read's failure, or "answered". */
async function failureOf(options: EtcdOptions): Promise<{ code: string; message: string }> {
  const client = connectEtcd(options);
  try {
    await client.get("/a", { timeoutMs: 1_500 });
    return { code: "answered", message: "" };
  } catch (error) {
    return error as { code: string; message: string };
  } finally {
    await client.close();
  }
}

describe.skipIf(program === undefined && !isRequired)(
  program === undefined ? "etcd (skipped: neither on PATH nor in .engines)" : "etcd over TLS",
  () => {
    const authority = certificateAuthority();
    const server = authority.issue("server", ["127.0.0.1", "etcd.test"]);
    const user = authority.issue("user", []);
    let folder: string;
    let cluster: EtcdCluster;
    let endpoints: string;
    const file = (name: string): string => join(folder, name);

    beforeAll(async () => {
      if (program === undefined) throw new Error("TENFOLD_REQUIRE_ENGINES is set, without etcd.");
      folder = await mkdtemp(join(tmpdir(), "tenfold-tls-"));
      await writeFile(file("ca.pem"), authority.certificate);
      await writeFile(file("server.pem"), server.certificate);
      await writeFile(file("server.key"), server.key);
      await writeFile(file("user.pem"), user.certificate);
      await writeFile(file("user.key"), user.key, { mode: 0o600 });
      const flags = [
        ...["--cert-file", file("server.pem"), "--key-file", file("server.key")],
        ...["--trusted-ca-file", file("ca.pem"), "--client-cert-auth"],
      ];
      cluster = await startEtcdCluster({ program, hosts: ["127.0.0.1"], scheme: "https", flags });
      endpoints = `https://127.0.0.1:${cluster.members[0]?.address.port}`;
    });
    afterAll(async () => {
      await cluster?.close();
      await rm(folder, { recursive: true, force: true });
    });

    test("with certificates as text or as files, under its address or its name", async () => {
      const texts = { ca: authority.certificate, ...user };
      await eventually("etcd serves", async () => {
        return (await failureOf({ endpoints, tls: texts })).code === "answered";
      });
      const files = { ca: file("ca.pem"), certificate: file("user.pem"), key: file("user.key") };
      const client = connectEtcd({ endpoints, tls: { ...files, servername: "etcd.test" } });
      await client.transact({ change: [{ put: "/a", value: "1" }] });
      expect((await client.get("/a"))?.value).toBe("1");
      await client.close();
    });

    test("what is wrong with trust is said at once, and is no outage", async () => {
      const good = { ca: authority.certificate, ...user };
      const other = certificateAuthority("another");
      const wrong = [
        { tls: { ...user }, says: /self-signed certificate|unable to/ },
        { tls: { ...good, ca: other.certificate }, says: /unable to verify|certificate/ },
        { tls: { ...good, servername: "other.test" }, says: /Hostname|altnames/ },
        { tls: { ca: authority.certificate }, says: /certificate/ },
        { tls: { ...good, ca: file("none.pem") }, says: /ENOENT/ },
      ];
      for (const { tls, says } of wrong) {
        const { code, message } = await failureOf({ endpoints, tls });
        expect([code, message]).toEqual([
          "TENFOLD_COORDINATION_TLS_FAILED",
          expect.stringMatching(says),
        ]);
      }
    });

    test("encryption and its absence do not meet", async () => {
      const plain = await failureOf({ endpoints: endpoints.replace("https", "http") });
      expect(plain.code).toMatch(/ANSWER_INVALID|UNAVAILABLE/);
      const tls = { ca: authority.certificate };
      const mute = createTcp((socket) => socket.end("SSH-2.0-x\r\n")).listen(0, "127.0.0.1");
      await eventually("it listens", () => mute.listening);
      const { port } = mute.address() as AddressInfo;
      const { code } = await failureOf({ endpoints: `https://127.0.0.1:${port}`, tls });
      expect(code).toBe("TENFOLD_COORDINATION_TLS_FAILED");
      mute.close();
    });
  },
);

describe("what is not etcd", () => {
  let web: Server;
  let port: number;

  beforeAll(async () => {
    web = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
    await eventually("it listens", () => web.listening);
    ({ port } = web.address() as AddressInfo);
  });
  afterAll(() => void web.close());

  test("an HTTP/1 server is told apart from a dead one", async () => {
    const { code, message } = await failureOf({ endpoints: `http://127.0.0.1:${port}` });
    expect([code, message]).toEqual([
      "TENFOLD_COORDINATION_ANSWER_INVALID",
      expect.stringContaining(`127.0.0.1:${port}`),
    ]);
  });

  test("beside a dead server it does not hide that this one may come back", async () => {
    const gone = createTcp().listen(0, "127.0.0.1");
    await eventually("it listens", () => gone.listening);
    const dead = (gone.address() as AddressInfo).port;
    await new Promise((resolve) => gone.close(resolve));
    const { code } = await failureOf({ endpoints: `etcd://127.0.0.1:${port},127.0.0.1:${dead}` });
    expect(code).toBe("TENFOLD_COORDINATION_UNAVAILABLE");
    await expect(
      new Promise((_, reject) => connectTcp(dead, "127.0.0.1").on("error", reject)),
    ).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});
