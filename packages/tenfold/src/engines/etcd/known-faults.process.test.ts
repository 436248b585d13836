import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";

import { type EtcdMember, startEtcdCluster } from "../../testing/etcd-cluster.ts";
import { reproductions } from "../../testing/etcd-faults.fixture.ts";
import { findEngine } from "../../testing/server-process.fixture.ts";

import { etcdFaults, etcdFaultsOf } from "./known-faults.ts";

const program = findEngine("etcd");
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";

test("every fault that is listed is provoked here, or says why it is not", () => {
  const provoked = etcdFaults.filter(({ unseen }) => unseen === undefined);
  expect(provoked.map(({ issue }) => issue).sort()).toEqual(Object.keys(reproductions).sort());
});

describe.skipIf(program === undefined && !isRequired)(
  program === undefined
    ? "etcd (skipped: neither on PATH nor in .engines)"
    : "a server has the faults that are listed for its version, and none that is mended in it",
  () => {
    for (const [issue, seen] of Object.entries(reproductions)) {
      test(issue, { timeout: 120_000 }, async () => {
        if (program === undefined) throw new Error("TENFOLD_REQUIRE_ENGINES is set, without etcd.");
        const listed = etcdFaultsOf(versionOf(program)).some((fault) => fault.issue === issue);
        const cluster = await startEtcdCluster({ program, hosts: ["127.0.0.1"] });
        try {
          expect(await seen(cluster.members[0] as EtcdMember)).toBe(listed);
        } finally {
          await cluster.close();
        }
      });
    }
  },
);

function versionOf(etcd: string): string {
  const said = execFileSync(etcd, ["--version"], { encoding: "utf8" });
  return /etcd Version: (\S+)/.exec(said)?.[1] ?? "";
}
