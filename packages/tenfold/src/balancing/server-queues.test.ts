import fc from "fast-check";
import { expect, it } from "vitest";

import type { Candidate } from "./candidate.ts";
import { fullScan } from "./full-scan.ts";
import { leastLoaded } from "./least-loaded.ts";
import { hosts, pool } from "./pool.fixture.ts";
import { serverQueues, type Ticket } from "./server-queues.ts";

type Call = Ticket<Candidate, number>;

const limits = { inFlightMax: 1, waitingMax: 1, waitMsMax: 100 };

const queues = (count: number, options: Partial<typeof limits> = {}) =>
  serverQueues<Candidate, number>({
    balancer: pool(hosts(count), { picking: fullScan(), measure: leastLoaded, slowStartMs: 0 }),
    ...limits,
    ...options,
  });

it("runs as many as a server takes, lets as many wait, and turns the rest away", () => {
  const servers = queues(2);
  const tickets = [0, 1, 2, 3, 4].map((call) => servers.offer(0, call));
  const states = tickets.map((ticket) => ticket?.state);
  expect(states).toEqual(["running", "running", "waiting", "waiting", undefined]);
  expect(new Set(tickets.slice(0, 2).map((ticket) => ticket?.picked.endpoint.id)).size).toBe(2);
  expect(servers.waiting).toBe(2);
});

it("starts the next at the same server when one ends, oldest first", () => {
  const servers = queues(1, { waitingMax: 3 });
  const [first, second, third] = [0, 1, 2].map((call) => servers.offer(call, call) as Call);
  expect(servers.end(5, first as Call)).toEqual([second]);
  expect(servers.end(5, first as Call)).toEqual([]);
  expect(servers.end(6, second as Call).map(({ call }) => call)).toEqual([third?.call]);
});

it("lets nobody wait too long, nor start after that", () => {
  const servers = queues(1, { waitingMax: 3 });
  const running = servers.offer(0, 0) as Call;
  servers.offer(0, 1);
  servers.offer(50, 2);
  expect(servers.end(120, running).map(({ call }) => call)).toEqual([2]);
  expect(servers.expire(120).map(({ call }) => call)).toEqual([1]);
  expect(servers.waiting).toBe(0);
});

it("takes out a call whose caller is gone", () => {
  const servers = queues(1);
  servers.offer(0, 0);
  const waiting = servers.offer(0, 1) as Call;
  expect(servers.end(1, waiting)).toEqual([]);
  expect(servers.offer(1, 2)?.state).toBe("waiting");
});

it("queues those of a server that left elsewhere", () => {
  const servers = queues(2, { waitingMax: 2 });
  const tickets = [0, 1, 2, 3].map((call) => servers.offer(0, call) as Call);
  const stays = hosts(2)[1] as Candidate;
  const moved = servers.update(1, [stays]);
  expect(moved).toEqual({ started: [], out: [] });
  expect(tickets.filter(({ state }) => state === "waiting")).toHaveLength(2);
  expect(tickets[3]?.picked.endpoint.id).toBe("h1");
  expect(servers.update(2, []).out).toHaveLength(2);
});

it("refuses options out of their range", () => {
  expect(() => queues(1, { inFlightMax: 0 })).toThrow(/inFlightMax/);
  expect(() => queues(1, { waitMsMax: Number.NaN })).toThrow(/waitMsMax/);
});

it("never runs more at a server than it takes, nor loses a call", () => {
  const step = fc.record({
    kind: fc.constantFrom("offer", "offer", "end", "expire", "update"),
    pick: fc.nat(50),
    waitMs: fc.nat(60),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const servers = queues(3, { inFlightMax: 2, waitingMax: 3 });
      const open = new Set<Call>();
      let now = 0;
      for (const { kind, pick, waitMs } of steps) {
        now += waitMs;
        if (kind === "offer") {
          const ticket = servers.offer(now, pick);
          if (ticket !== undefined) open.add(ticket);
        } else if (kind === "expire") {
          for (const ticket of servers.expire(now)) expect(open.delete(ticket)).toBe(true);
        } else if (kind === "update") {
          for (const ticket of servers.update(now, hosts(pick % 4)).out) open.delete(ticket);
        } else {
          const ticket = [...open][pick % Math.max(1, open.size)];
          if (ticket === undefined) continue;
          servers.end(now, ticket);
          open.delete(ticket);
        }
        const running = new Map<string, number>();
        for (const { state, picked } of open) {
          expect(state).not.toBe("over");
          const { id } = picked.endpoint;
          if (state === "running") running.set(id, (running.get(id) ?? 0) + 1);
        }
        for (const count of running.values()) expect(count).toBeLessThanOrEqual(2);
        expect(servers.waiting).toBe([...open].filter((one) => one.state === "waiting").length);
      }
    }),
  );
});
