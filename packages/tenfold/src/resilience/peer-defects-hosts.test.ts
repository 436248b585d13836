import { expect, it } from "vitest";

import { type Balancer, balancer } from "../balancing/balancer.ts";
import type { BalancerOptions } from "../balancing/balancer-options.ts";
import type { Candidate } from "../balancing/candidate.ts";
import { fullScan } from "../balancing/full-scan.ts";
import { leastLoaded } from "../balancing/least-loaded.ts";
import { seededRandom } from "../runtime/random.ts";

/** How a host answers at a time: after so long, and well or not. */
type Host = (at: number) => { readonly tookMs: number; readonly fails: boolean };
const well: Host = () => ({ tookMs: 10, fails: false });
const failsAtOnce: Host = () => ({ tookMs: 0.5, fails: true });
const slow: Host = () => ({ tookMs: 200, fails: false });

/** Calls at a steady rate over hosts; `sharesUntil` gives each one's part of those until then. */
function traffic(hosts: readonly Host[], options: Partial<BalancerOptions> = {}) {
  const choice: Balancer<Candidate> = balancer({ random: seededRandom("hosts"), ...options });
  choice.update(hosts.map((_, i) => ({ id: String(i), weight: 1 })));
  const underWay: { readonly at: number; readonly end: () => void }[] = [];
  let now = 0;
  const sharesUntil = (until: number): number[] => {
    const counts = hosts.map(() => 0);
    let calls = 0;
    for (; now < until; now += 2) {
      underWay.sort((a, b) => a.at - b.at);
      while ((underWay[0]?.at ?? Number.POSITIVE_INFINITY) <= now) underWay.shift()?.end();
      const picked = choice.pick(now, { mayProbe: true });
      const index = Number(picked?.endpoint.id);
      const { tookMs, fails } = (hosts[index] as Host)(now);
      const at = now + tookMs;
      const end = (): void => {
        picked?.report(at, fails ? "failure" : "success", tookMs);
        picked?.release();
      };
      underWay.push({ at, end });
      counts[index] = (counts[index] as number) + 1;
      calls++;
    }
    return counts.map((count) => count / calls);
  };
  return { sharesUntil };
}

/** What was measured or reported of balancing in other libraries, as cases to pass. */
const defects: readonly [seenIn: string, defect: string, check: () => void][] = [
  [
    "undici 8 BalancedPool",
    "a host that fails at once and a slow one each get a third, as the one that is well does",
    () => {
      const [good, bad, late] = traffic([well, failsAtOnce, slow]).sharesUntil(60_000);
      expect(bad).toBeLessThan(0.005);
      expect(late).toBeLessThan(0.1);
      expect(good).toBeGreaterThan(0.9);
    },
  ],
  [
    "undici #4839: BalancedPool with two hosts",
    "after outages of both it is down to one of them",
    () => {
      const outages =
        (phase: number): Host =>
        (at) =>
          at < 60_000 && Math.floor(at / 10_000) % 3 === phase ? failsAtOnce(at) : well(at);
      const both = traffic([outages(0), outages(1)]);
      both.sharesUntil(70_000);
      for (const share of both.sharesUntil(90_000)) expect(share).toBeGreaterThan(0.4);
    },
  ],
  [
    "undici #4839: BalancedPool",
    "when one host fails the others pay for it",
    () => {
      const outage: Host = (at) => (at < 30_000 ? failsAtOnce(at) : well(at));
      const three = traffic([outage, well, well]);
      const during = three.sharesUntil(30_000);
      expect(during[0]).toBeLessThan(0.005);
      for (const share of during.slice(1)) expect(share).toBeGreaterThan(0.45);
      three.sharesUntil(36_000);
      for (const share of three.sharesUntil(60_000)) expect(share).toBeGreaterThan(0.25);
    },
  ],
  [
    "least connections that take the first of equals",
    "a host that fails at once is always idle, and listed first it gets 88 % of all calls",
    () => {
      const hosts = [failsAtOnce, ...Array.from({ length: 9 }, () => well)];
      // Nobody is ejected: it is the tie alone that must not draw the calls.
      const options = { measure: leastLoaded, picking: fullScan(), failuresMax: 1_000_000 };
      const never = { ...options, rateSamplesMin: 10_000 };
      const [bad] = traffic(hosts, never).sharesUntil(60_000);
      expect(bad).toBeLessThan(0.25);
      const [ejected] = traffic(hosts, { ...options, failuresMax: 5 }).sharesUntil(60_000);
      expect(ejected).toBeLessThan(0.005);
    },
  ],
];

it.each(defects)("%s: %s", (_seenIn, _defect, check) => {
  check();
});
