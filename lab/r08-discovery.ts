import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createKeptSession } from "tenfold/coordination";
import {
  coordinatorResolver,
  createRegistrar,
  dnsResolver,
  type Member,
  type Resolver,
  staticResolver,
} from "tenfold/discovery";
import { createCoordinatorNode } from "tenfold/engines/coordinator-node";
import { connectEtcd } from "tenfold/engines/etcd";
import { startDnsServer } from "tenfold/testing";

import { type CallLoop, callLoop } from "./support/discovery/call-loop.ts";
import { defineExperiment, type Lab } from "./support/experiment.ts";
import { until } from "./support/fleet.ts";

const service = "echo";
const everyMs = 20;
/** The record's time to live for each DNS caller, in seconds. */
const ttls = [1, 5];
const fullTtls = [1, 5, 15];
const moves = 3;
const fullMovesMax = 10;
/** The old place is served for so long after a move, as whoever moves a service must. */
const overlapMs = 1_000;

/** One caller and what it finds its servers by; the client is the same for all. */
interface Caller {
  readonly name: string;
  readonly loop: CallLoop;
  /** How long it may go on calling the old place after a move; undefined: for ever. */
  readonly followsWithinMs: number | undefined;
}

/** A service that moves from port to port, and whoever must be told. */
interface Stage {
  readonly callers: readonly Caller[];
  /** Returns the name of the new place. */
  move(): Promise<string>;
}

export const experiment = defineExperiment({
  id: "R8",
  title: "Static list, DNS and coordinator behind one client",
  claim:
    "The same client code calls a service by a list, by DNS and by the coordinator; when the " +
    "service moves, a list never follows, DNS does within the record's time to live, and the " +
    "coordinator at once; two views of one name see each their own.",
  expectedMinutes: 2,
  async run(lab) {
    const stage = await setUp(lab, lab.full ? fullTtls : ttls);
    const began = performance.now();
    const movedAt: number[] = [];
    const followed = new Map<string, number[]>(stage.callers.map(({ name }) => [name, []]));
    const longest = Math.max(...stage.callers.map((each) => each.followsWithinMs ?? 0));
    for (let round = 0; round < (lab.full ? fullMovesMax : moves); round++) {
      const at = performance.now();
      const place = await stage.move();
      movedAt.push(at);
      await pause(longest + overlapMs, undefined, { signal: lab.signal });
      for (const { name, loop } of stage.callers) {
        const first = loop.answers.find(({ at: when, from }) => when >= at && from === place);
        followed.get(name)?.push((first?.at ?? Number.POSITIVE_INFINITY) - at);
      }
    }
    report(lab, stage, followed);
    draw(lab, stage, began, movedAt);
    await showViews(lab);
  },
});

async function setUp(lab: Lab, seconds: readonly number[]): Promise<Stage> {
  const coordinator = await coordinatorOf(lab);
  const session = createKeptSession(coordinator);
  const dns = await startDnsServer();
  const first = await startPlace("place-0");
  lab.atEnd(() => dns.close());
  let current = first;
  let registrar = createRegistrar({ coordinator, session, fleet: "lab", member: memberOf(first) });
  await registrar.registered;
  const record = ({ port }: Place) =>
    seconds.forEach((ttl) => {
      dns.set(`t${ttl}.internal`, [{ type: "A", address: "127.0.0.1", ttl }]);
      const srv = { type: "SRV" as const, target: `t${ttl}.internal`, port, ttl };
      dns.set(`_http._tcp.t${ttl}.internal`, [srv]);
    });
  record(first);

  const callers: Caller[] = [
    caller("coordinator", coordinatorResolver(coordinator, { fleet: "lab" }), 1_000),
    ...seconds.map((ttl) => {
      const names = `_http._tcp.t${ttl}.internal`;
      const resolver = dnsResolver({ names, servers: [dns.address] });
      return caller(`DNS, ${ttl} s to live`, resolver, ttl * 1_000 + 1_000);
    }),
    caller("static list", staticResolver(`127.0.0.1:${first.port}`), undefined),
  ];
  lab.atEnd(async () => {
    for (const { loop } of callers) await loop.stop();
    await registrar.close();
    await session.close();
  });
  for (const { name, loop } of callers) {
    await until(`${name} to be answered`, 10_000, () => loop.answers.length > 0);
  }
  let count = 0;
  lab.atEnd(() => first.close());
  lab.atEnd(() => current.close());
  return {
    callers,
    async move() {
      count++;
      const place = await startPlace(`place-${count}`);
      const before = current;
      current = place;
      record(place);
      const old = registrar;
      const member = memberOf(place);
      registrar = createRegistrar({ coordinator, session, fleet: "lab", member });
      await registrar.registered;
      await old.deregister();
      // What followed has gone by then; the first place stays for those who never follow.
      const longest = Math.max(...seconds) * 1_000 + overlapMs;
      if (before !== first) void pause(longest).then(() => before.close());
      return place.name;
    },
  };
}

function caller(name: string, resolver: Resolver, followsWithinMs: number | undefined): Caller {
  return { name, followsWithinMs, loop: callLoop(service, resolver, everyMs) };
}

interface Place {
  readonly name: string;
  readonly port: number;
  close(): Promise<void>;
}

async function startPlace(name: string): Promise<Place> {
  const server: Server = createServer((_request, response) => void response.end(name));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= new Promise((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
    return closed;
  };
  return { name, port, close };
}

function memberOf({ name, port }: Place): Member {
  const where = { host: "local", zone: "local", address: "127.0.0.1", port };
  const rest = { protocol: "http", version: "1", weight: 1, startedAtMs: Date.now() } as const;
  return { id: name, service, ...where, ...rest };
}

async function coordinatorOf(lab: Lab) {
  const dataFolder = mkdtempSync(join(tmpdir(), "tenfold-r08-"));
  const token = "of-the-experiment";
  const listen = { host: "127.0.0.1", port: 0 };
  const node = await createCoordinatorNode({ listen, dataFolder, token });
  const coordinator = connectEtcd({ endpoints: `etcd://127.0.0.1:${node.address.port}`, token });
  lab.atEnd(async () => {
    await coordinator.close();
    await node.close();
    rmSync(dataFolder, { recursive: true });
  });
  return coordinator;
}

function report(lab: Lab, stage: Stage, followed: ReadonlyMap<string, readonly number[]>): void {
  for (const { name, loop, followsWithinMs } of stage.callers) {
    const times = followed.get(name) ?? [];
    const answered = loop.answers.length;
    lab.figure({ name: `${name}: calls answered`, value: answered, unit: "" });
    const goal = { equals: 0 } as const;
    lab.figure({ name: `${name}: calls failed`, value: loop.failed, unit: "", goal });
    if (followsWithinMs === undefined) {
      const moved = times.filter(Number.isFinite).length;
      lab.figure({ name: `${name}: moves that it followed`, value: moved, unit: "", goal });
    } else {
      lab.figure({
        name: `${name}: longest time until the new place is called`,
        value: Math.max(...times),
        unit: "ms",
        goal: { atMost: followsWithinMs },
      });
    }
  }
}

/** The place that each caller was answered from, over time. */
function draw(lab: Lab, stage: Stage, began: number, movedAt: readonly number[]): void {
  lab.plot({
    kind: "line",
    name: "follow",
    title: "Where the calls go while the service moves",
    x: { label: "time, s" },
    y: { label: "number of the place" },
    series: stage.callers.map(({ name, loop }) => ({
      name,
      points: loop.answers
        .filter(({ from }, at, all) => from !== all[at - 1]?.from || from !== all[at + 1]?.from)
        .map(({ at, from }) => [(at - began) / 1_000, Number(from.split("-")[1])] as const),
    })),
    marks: movedAt.map((at, index) => ({
      x: (at - began) / 1_000,
      label: `move ${index + 1}`,
    })),
  });
}

/** Two resolvers with servers of their own: what is inside is not what is seen from outside. */
async function showViews(lab: Lab): Promise<void> {
  const views = await Promise.all(["internal", "external"].map((name) => startPlace(name)));
  let right = 0;
  for (const place of views) {
    const dns = await startDnsServer();
    dns.set("echo.example", [{ type: "A", address: "127.0.0.1", ttl: 1 }]);
    const names = `echo.example:${place.port}`;
    const loop = callLoop(service, dnsResolver({ names, servers: [dns.address] }), everyMs);
    await until("an answer", 10_000, () => loop.answers.length >= 10);
    await loop.stop();
    await dns.close();
    await place.close();
    if (loop.answers.every(({ from }) => from === place.name)) right++;
  }
  const goal = { equals: 2 } as const;
  lab.figure({ name: "views that saw their own place alone", value: right, unit: "", goal });
}
