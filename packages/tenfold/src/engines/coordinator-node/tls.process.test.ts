import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { findEngine } from "../../testing/server-process.fixture.ts";
import { createCoordinatorNode } from "./node.ts";

const run = promisify(execFile);
const openssl = findEngine("openssl");
const etcdctl = findEngine("etcdctl") ?? "";
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";
const isMissing = openssl === undefined || etcdctl === "";

const listen = { host: "127.0.0.1", port: 0 };
const coded = (code: string) => expect.objectContaining({ code });

describe.skipIf(isMissing && !isRequired)(
  isMissing ? "TLS (skipped: no openssl or no etcdctl)" : "TLS",
  () => {
    let folder: string;
    let files: { cert: string; key: string };
    let tls: { certificate: string; key: string };

    beforeAll(async () => {
      if (openssl === undefined) throw new Error("TENFOLD_REQUIRE_ENGINES is set: no openssl.");
      folder = await mkdtemp(join(tmpdir(), "tenfold-tls-"));
      files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
      await run(openssl, [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
        ...["-days", "2", "-subj", "/CN=coordinator", "-addext", "subjectAltName=IP:127.0.0.1"],
        ...["-keyout", files.key, "-out", files.cert],
      ]);
      const text = (file: string): Promise<string> => readFile(file, "utf8");
      tls = { certificate: await text(files.cert), key: await text(files.key) };
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    test("etcdctl speaks it, and cleartext gets no answer", async () => {
      const dataFolder = join(folder, "data");
      const node = await createCoordinatorNode({ listen, dataFolder, token: "secret", tls });
      const at = `127.0.0.1:${node.address.port}`;
      const args = [`--endpoints=https://${at}`, `--cacert=${files.cert}`, "--user=any:secret"];
      const env = { ETCDCTL_API: "3" };
      expect((await run(etcdctl, [...args, "put", "a", "1"], { env })).stdout).toBe("OK\n");
      expect((await run(etcdctl, [...args, "get", "a"], { env })).stdout).toBe("a\n1\n");
      const members = await run(etcdctl, [...args, "member", "list"], { env });
      expect(members.stdout).toContain(`https://${at}`);
      const plain = connect(`http://${at}`);
      const outcome = await new Promise((resolve) => {
        plain.once("error", () => resolve("refused"));
        plain.once("close", () => resolve("closed"));
        plain.request({ ":path": "/" }).once("error", () => {});
      });
      expect(["refused", "closed"]).toContain(outcome);
      await node.close();
    });

    test("a certificate that is none is refused, and leaves the folder free", async () => {
      const dataFolder = join(folder, "none");
      const broken = { certificate: "no certificate", key: tls.key };
      const options = { listen, dataFolder, token: "secret" };
      await expect(createCoordinatorNode({ ...options, tls: broken })).rejects.toEqual(
        coded("TENFOLD_COORDINATOR_NODE_CERTIFICATE_INVALID"),
      );
      await (await createCoordinatorNode({ ...options, tls })).close();
    });

    test("off loopback it takes both, a certificate and somebody to know", async () => {
      const dataFolder = join(folder, "exposed");
      const exposed = { listen: { host: "0.0.0.0", port: 0 }, dataFolder };
      for (const options of [
        { ...exposed, token: undefined },
        { ...exposed, token: "secret" },
        { ...exposed, token: undefined, tls },
      ]) {
        await expect(createCoordinatorNode(options)).rejects.toEqual(
          coded("TENFOLD_COORDINATOR_NODE_EXPOSED"),
        );
      }
    });
  },
);
