// A process that makes ids as fast as it may until it is killed; started by `hostile-ids.ts`.
import { coordinatorWorkerRecords, createKeptSession } from "tenfold/coordination";
import { connectEtcd } from "tenfold/engines/etcd";
import {
  createLeasedIds,
  fileWorkerRecords,
  type IdGenerator,
  snowflake,
  type WorkerRecords,
} from "tenfold/identifiers";
import { fileStorage, isTenfoldError, TenfoldError } from "tenfold/runtime";

import { openRunLog, type RunLog } from "./id-runs.ts";

export interface IdMakerSettings {
  /** The coordinator, or a folder for the records. */
  readonly records: { readonly endpoint: string; readonly prefix: string } | { folder: string };
  readonly logs: string;
  readonly windowMs: number;
  readonly sessionTtlMs: number;
  readonly workers: number;
  /** Ids without a pause, and the pause. */
  readonly burst: number;
  readonly pauseMs: number;
  /** Not leased: this number, and the wall clock, as ids are made elsewhere. */
  readonly plainWorker?: number;
}

export type MakerLeap = "ahead" | "back";

/** It makes ids now, or its wall clock leapt by more than half an hour. */
export interface MakerMessage {
  readonly leap?: MakerLeap;
}

const settings = JSON.parse(process.env.ID_MAKER ?? "") as IdMakerSettings;
const makerLogs = new WeakMap<object, RunLog>();
let logs = 0;

function logged(worker: number, generator: IdGenerator): IdGenerator {
  logs += 1;
  makerLogs.set(generator, openRunLog(settings.logs, `${worker}-${process.pid}-${logs}`));
  return generator;
}

function openRecords(): WorkerRecords {
  const { records } = settings;
  if ("folder" in records) return fileWorkerRecords(fileStorage(records.folder));
  const coordinator = connectEtcd({ endpoints: records.endpoint });
  const kept = createKeptSession(coordinator, { ttlMs: settings.sessionTtlMs });
  const session = () => {
    if (kept.current !== undefined) return kept.current;
    throw new TenfoldError("TENFOLD_COORDINATION_UNAVAILABLE", "no session", { retryable: true });
  };
  return coordinatorWorkerRecords(coordinator, { prefix: records.prefix, session });
}

function openIds(): (
  make: (generator: IdGenerator, wallMs: number, beforeMs?: number) => void,
) => void {
  const { plainWorker, windowMs, workers } = settings;
  if (plainWorker !== undefined) {
    const plain = logged(plainWorker, snowflake({ worker: plainWorker }));
    return (make) => make(plain, Date.now());
  }
  const ids = createLeasedIds({
    records: openRecords(),
    generator: (lease) => logged(lease.worker, snowflake(lease)),
    owner: `maker ${process.pid}`,
    workers,
    windowMs,
  });
  return (make) => ids.use(make);
}

const leapMs = 1_800_000;
/** What the wall clock is ahead of the one that nobody can set. */
const aheadMs = (): number => Date.now() - performance.now();
const tell = (message: MakerMessage): void => void process.send?.(message);
const use = openIds();
let told = false;
let lastAheadMs = aheadMs();
const watchClock = (): void => {
  const nowMs = aheadMs();
  if (Math.abs(nowMs - lastAheadMs) > leapMs)
    tell({ leap: nowMs > lastAheadMs ? "ahead" : "back" });
  lastAheadMs = nowMs;
};
const makeBurst = (): void => {
  watchClock();
  let log: RunLog | undefined;
  try {
    for (let id = 0; id < settings.burst; id++) {
      use((generator, wallMs, beforeMs) => {
        log = makerLogs.get(generator) as RunLog;
        log.add(generator.next(wallMs, beforeMs));
      });
    }
  } catch (error) {
    if (!isTenfoldError(error)) throw error;
  } finally {
    log?.flush();
    if (log !== undefined && !told) {
      told = true;
      tell({});
    }
  }
  setTimeout(makeBurst, settings.pauseMs);
};
makeBurst();
process.on("disconnect", () => process.exit(0));
