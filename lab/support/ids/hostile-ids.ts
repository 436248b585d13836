import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { coordinatorWorkerRecords } from "tenfold/coordination";
import { createCoordinatorNode } from "tenfold/engines/coordinator-node";
import { connectEtcd } from "tenfold/engines/etcd";
import { fileWorkerRecords, type WorkerRecords } from "tenfold/identifiers";
import { fileStorage, type Random, seededRandom } from "tenfold/runtime";

import type { IdMakerSettings, MakerLeap, MakerMessage } from "./id-maker.fixture.ts";
import { type IdVerdict, judgeRuns } from "./id-runs.ts";

export interface HostileIdsOptions {
  /** A folder of its own, for logs, clocks and records. */
  readonly folder: string;
  /** The library that fakes a process's clock, see `fakeClockLibrary`. */
  readonly fakeClock: string;
  readonly seed: string;
  /** leased: in the coordinator or a folder. plain: a number each, and the wall clock. */
  readonly kind: "coordinator" | "folder" | "plain";
  readonly processes: number;
  /** Asked every two seconds; it also ends when the signal fires. */
  readonly enough: (soFar: HostileIds) => boolean;
  readonly burst: number;
  readonly pauseMs: number;
  readonly signal?: AbortSignal;
}

export interface HostileIds extends IdVerdict {
  readonly seconds: number;
  /** What was done to the processes, and how often. */
  readonly hostilities: Readonly<Record<Hostility, number>>;
  /** How often a process saw its wall clock leap by about an hour. */
  readonly leaps: Readonly<Record<MakerLeap, number>>;
}

export const hostilities = [
  "stop",
  "kill",
  "steal",
  "hour ahead",
  "hour back",
  "small step",
  "double rate",
  "half rate",
] as const;
export type Hostility = (typeof hostilities)[number];

const windowMs = 2_000;
const sessionTtlMs = 1_000;
const prefix = "/hostile/numbers/";
const program = fileURLToPath(new URL("./id-maker.fixture.ts", import.meta.url));

/**
 * Processes that make ids while they are stopped and continued (SIGSTOP), killed and started again,
 * while each one's wall clock steps by an hour both ways or by moments, or runs at double speed,
 * and while their worker numbers are stolen. Then every id is looked at.
 */
export async function makeHostileIds(options: HostileIdsOptions): Promise<HostileIds> {
  const { folder, kind, processes } = options;
  const logs = join(folder, "logs");
  mkdirSync(logs, { recursive: true });
  const random = seededRandom(options.seed);
  const done = Object.fromEntries(hostilities.map((each) => [each, 0])) as Record<
    Hostility,
    number
  >;
  await using site = await openSite(options);
  const makers = Array.from({ length: processes }, (_, number) => {
    const settings: IdMakerSettings = {
      records: site.records,
      logs,
      windowMs,
      sessionTtlMs,
      workers: processes,
      burst: options.burst,
      pauseMs: options.pauseMs,
      ...(kind === "plain" && { plainWorker: number }),
    };
    return new Maker(settings, join(folder, `clock-${number}`), options.fakeClock);
  });
  const began = performance.now();
  const leaps = (way: MakerLeap): number => makers.reduce((sum, each) => sum + each.leaps[way], 0);
  const soFar = (): HostileIds => ({
    ...judgeRuns(logs),
    seconds: (performance.now() - began) / 1_000,
    hostilities: { ...done },
    leaps: { ahead: leaps("ahead"), back: leaps("back") },
  });
  try {
    do {
      const until = performance.now() + 2_000;
      while (performance.now() < until) {
        const hostility = hostilities[random.below(hostilities.length)] as Hostility;
        const maker = makers[random.below(processes)] as Maker;
        if (await disturb(hostility, maker, site.own, random)) done[hostility] += 1;
        await pause(20 + random.below(60));
      }
    } while (!options.enough(soFar()) && options.signal?.aborted !== true);
  } finally {
    await Promise.all(makers.map((maker) => maker.end()));
  }
  return soFar();
}

/** Does one thing to a maker; false when there was nothing to do it to. */
async function disturb(
  hostility: Hostility,
  maker: Maker,
  records: WorkerRecords | undefined,
  random: Random,
): Promise<boolean> {
  switch (hostility) {
    case "stop":
      return maker.stop(10 + random.below(3_500));
    case "kill":
      return await maker.restart();
    case "hour ahead":
      return maker.clock("+3600");
    case "hour back":
      return maker.clock("-3600");
    case "small step": {
      // Moments, that lead into times which were there before.
      const seconds = random.below(25) - 12;
      return maker.clock(seconds < 0 ? `${seconds}` : `+${seconds}`);
    }
    case "double rate":
      return maker.clock("+0 x2");
    case "half rate":
      return maker.clock("+0 x0.5");
    case "steal":
      return records !== undefined && (await steal(records, random));
  }
}

/** Takes a number from its living holder, as another claim would that nobody may refuse. */
async function steal(records: WorkerRecords, random: Random): Promise<boolean> {
  const stored = await records.list();
  const victim = stored[random.below(Math.max(1, stored.length))];
  if (victim === undefined) return false;
  const { worker, version, record } = victim;
  const stolen = { ...record, owner: `thief ${random.below(2 ** 32)}`, epoch: record.epoch + 1 };
  // Not held by a session, so that any claim may have it next.
  const outcome = await records.replace({ worker, version, record: stolen, purpose: "release" });
  return outcome.replaced;
}

class Maker {
  readonly leaps: Record<MakerLeap, number> = { ahead: 0, back: 0 };
  readonly #settings: IdMakerSettings;
  readonly #clockFile: string;
  readonly #fakeClock: string;
  #child: ChildProcess;
  #timer: NodeJS.Timeout | undefined;
  #isMaking = false;

  constructor(settings: IdMakerSettings, clockFile: string, fakeClock: string) {
    this.#settings = settings;
    this.#clockFile = clockFile;
    this.#fakeClock = fakeClock;
    this.clock("+0");
    this.#child = this.#start();
  }

  /** @param offset seconds with a sign, and a rate, as libfaketime reads them. */
  clock(offset: string): true {
    writeFileSync(this.#clockFile, `${offset}\n`);
    return true;
  }

  stop(ms: number): boolean {
    if (this.#timer !== undefined) return false;
    const child = this.#child;
    child.kill("SIGSTOP");
    this.#timer = setTimeout(() => {
      child.kill("SIGCONT");
      this.#timer = undefined;
    }, ms);
    return true;
  }

  /** False when the last one has not yet made an id. */
  async restart(): Promise<boolean> {
    if (!this.#isMaking) return false;
    await this.end();
    this.#child = this.#start();
    return true;
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) {
      throw new Error(`a maker ended by itself: ${exitCode ?? signalCode}`);
    }
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  #start(): ChildProcess {
    this.#isMaking = false;
    const child = spawn(
      process.execPath,
      ["--conditions=tenfold:source", "--no-warnings", program],
      {
        env: {
          ID_MAKER: JSON.stringify(this.#settings),
          LD_PRELOAD: this.#fakeClock,
          FAKETIME_TIMESTAMP_FILE: this.#clockFile,
          // The file is looked at every second; timers and durations go by the real clock.
          FAKETIME_CACHE_DURATION: "1",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
        },
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      },
    );
    child.on("message", ({ leap }: MakerMessage) => {
      if (leap === undefined) this.#isMaking = child === this.#child;
      else this.leaps[leap] += 1;
    });
    return child;
  }
}

interface Site extends AsyncDisposable {
  readonly records: IdMakerSettings["records"];
  /** The thief's own view; none where there is nothing to steal. */
  readonly own: WorkerRecords | undefined;
}

async function openSite({ kind, folder }: HostileIdsOptions): Promise<Site> {
  const records = { folder: join(folder, "records") };
  if (kind !== "coordinator") {
    const own = kind === "plain" ? undefined : fileWorkerRecords(fileStorage(records.folder));
    return { records, own, async [Symbol.asyncDispose]() {} };
  }
  const node = await createCoordinatorNode({
    listen: { host: "127.0.0.1", port: 0 },
    dataFolder: join(folder, "coordinator"),
    token: undefined,
  });
  const endpoint = `http://127.0.0.1:${node.address.port}`;
  const coordinator = connectEtcd({ endpoints: endpoint });
  const session = () => {
    throw new Error("a thief has no session");
  };
  return {
    records: { endpoint, prefix },
    own: coordinatorWorkerRecords(coordinator, { prefix, session }),
    async [Symbol.asyncDispose]() {
      await coordinator.close();
      await node.close();
    },
  };
}
