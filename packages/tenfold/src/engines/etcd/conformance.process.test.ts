import { afterAll, beforeAll, describe, test } from "vitest";

import { inLanes, testBroken, testConformance } from "../../testing/conformance-tests.fixture.ts";
import type { QuorumControl } from "../../testing/coordinator-steps.ts";
import { type EtcdCluster, startEtcdCluster } from "../../testing/etcd-cluster.ts";
import { etcdOptions } from "../../testing/etcd-conformance.fixture.ts";
import { findEngine } from "../../testing/server-process.fixture.ts";

const program = findEngine("etcd");
const isRequired = process.env.TENFOLD_REQUIRE_ENGINES === "1";
const isMissing = program === undefined && !isRequired;
const reason = isMissing ? " (skipped: neither on PATH nor in .engines)" : "";

/** Two clusters: one for what may run side by side, one for what disturbs it. */
function startClusters(count: number): EtcdCluster[] {
  const clusters: EtcdCluster[] = [];
  beforeAll(async () => {
    if (program === undefined) throw new Error("TENFOLD_REQUIRE_ENGINES is set, without etcd.");
    const hosts = Array.from({ length: count }, () => "127.0.0.1");
    const start = () => startEtcdCluster({ program, hosts });
    clusters.push(...(await Promise.all([start(), start()])));
  });
  afterAll(async () => {
    await Promise.all(clusters.map((cluster) => cluster.close()));
  });
  return clusters;
}

describe.skipIf(isMissing)(`one etcd server${reason}`, () => {
  const clusters = startClusters(1);
  const of = (index: number) => etcdOptions(() => clusters[index] as EtcdCluster, 1);
  testConformance(test.concurrent, { beside: of(0), alone: of(1) });
});

describe.skipIf(isMissing)(`three etcd servers${reason}`, () => {
  const clusters = startClusters(3);
  const of = (index: number, broken?: string) =>
    etcdOptions(() => clusters[index] as EtcdCluster, 3, broken);
  const run = inLanes();
  testConformance(test.concurrent, { beside: of(0), alone: of(1) }, run);

  describe("the suite fails a coordinator that", () => {
    // Only what needs several servers; the embedded node serves for the others.
    const quorum = of(1).quorum as QuorumControl;
    const few = (broken: string) => ({ quorum, connect: of(1, broken).connect, patienceMs: 6_000 });
    testBroken(test.concurrent, (broken) => ({ beside: few(broken), alone: few(broken) }), run);
  });
});
