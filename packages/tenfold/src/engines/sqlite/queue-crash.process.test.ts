import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";

import { afterAll, expect, test, vi } from "vitest";

import type { Queue, QueueStats } from "../../queueing/queue.ts";
import { decodeQueueError } from "../../queueing/queue-protocol.ts";
import { type RemoteCall, remoteQueue } from "../../queueing/remote-queue.ts";
import { seededRandom } from "../../runtime/random.ts";

/** Generous, for a machine that has much else to do; a sound run takes a few seconds. */
const patienceMs = 60_000;
vi.setConfig({ testTimeout: 2 * patienceMs });

const folder = mkdtempSync(join(tmpdir(), "tenfold-queue-crash-"));
const source = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

const engines = {
  sqlite: `import { createSqliteQueue } from ${source("./queue.ts")};
    const queue = await createSqliteQueue({ file: process.argv[1] });`,
  memory: `import { createMemoryQueue } from ${source("../memory/queue.ts")};
    const queue = createMemoryQueue();`,
};
type Engine = keyof typeof engines;

/** A queue's owner as its own process: prints its port, answers until it is killed. */
const ownerProgram = (engine: Engine): string => `
  import { createServer } from "node:http";
  import { json } from "node:stream/consumers";
  import { answerQueueCall, encodeQueueError } from ${source("../../queueing/queue-protocol.ts")};

  ${engines[engine]}
  const server = createServer(async (request, response) => {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const operation = request.url.replace("/v1/queue/", "");
    try {
      const payload = await json(request);
      const answer = await answerQueueCall(queue, operation, payload, { signal: gone.signal });
      response.end(JSON.stringify(answer));
    } catch (error) {
      if (gone.signal.aborted) return;
      const { status, body } = encodeQueueError(error);
      response.writeHead(status).end(JSON.stringify(body));
    }
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

/** Does jobs until it is killed, and writes down each: the file survives it. */
const workerProgram = `
  import { appendFileSync, readFileSync } from "node:fs";
  import { remoteQueue } from ${source("../../queueing/remote-queue.ts")};
  import { createWorker } from ${source("../../queueing/worker.ts")};

  const [portFile, effectsFile] = process.argv.slice(1);
  const call = async (operation, payload, { signal, deadlineMs }) => {
    const ends = [AbortSignal.timeout(deadlineMs), signal].filter(Boolean);
    const url = "http://127.0.0.1:" + readFileSync(portFile, "utf8") + "/v1/queue/" + operation;
    const body = JSON.stringify(payload);
    const response = await fetch(url, { method: "POST", body, signal: AbortSignal.any(ends) });
    if (response.ok) return await response.json();
    throw new Error("status " + response.status);
  };
  createWorker({
    queue: remoteQueue(call),
    leaseMs: 1_000,
    // Kills take attempts, too: a job that had many is no dead letter here.
    retry: { attemptsMax: 1_000, baseMs: 1, capMs: 50 },
    async handle(jobs) {
      if (Math.random() < 0.05) throw new Error("now and then a handler fails");
      for (const { key, sort } of jobs) appendFileSync(effectsFile, key + "/" + sort + "\\n");
    },
  });
  console.log("ready");
`;

let port = 0;
const portFile = join(folder, "port");
const children = new Map<string, ChildProcess>();

/** @param fileBlocksMax the greatest size of a file in blocks of 512 bytes: a disk that is full. */
async function start(
  name: string,
  program: string,
  given: readonly string[],
  fileBlocksMax?: number,
): Promise<string> {
  const node = [process.execPath, "--input-type=module", "-e", program, ...given];
  const limit = `ulimit -f ${fileBlocksMax ?? "unlimited"} && exec "$@"`;
  const child = spawn("sh", ["-c", limit, "sh", ...node], { stdio: ["ignore", "pipe", "inherit"] });
  children.set(name, child);
  const [line] = await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(() => Promise.reject(new Error(`${name} did not start`))),
  ]);
  return String(line).trim();
}

async function kill(name: string): Promise<void> {
  const child = children.get(name);
  children.delete(name);
  if (child === undefined || child.exitCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function startOwner(file: string, engine: Engine = "sqlite", fileBlocksMax?: number) {
  port = Number(await start("owner", ownerProgram(engine), [file], fileBlocksMax));
  writeFileSync(portFile, String(port));
}

afterAll(async () => {
  for (const name of children.keys()) await kill(name);
  rmSync(folder, { recursive: true, force: true });
});

const call: RemoteCall = async (operation, payload, { signal, deadlineMs }) => {
  const ends = [AbortSignal.timeout(deadlineMs), ...(signal === undefined ? [] : [signal])];
  const sent = request({
    ...{ host: "127.0.0.1", port, method: "POST", path: `/v1/queue/${operation}` },
    signal: AbortSignal.any(ends),
  });
  sent.end(JSON.stringify(payload));
  const [response] = await once(sent, "response");
  const body = await json(response);
  if (response.statusCode === 200) return body;
  throw decodeQueueError(body) ?? new Error(`status ${response.statusCode}`);
};

/** Enqueues until told to stop; every acknowledgement is written down. */
async function produce(
  queue: Queue,
  name: number,
  acknowledged: Map<string, bigint>,
  stop: AbortSignal,
): Promise<void> {
  const random = seededRandom(`producer-${name}`);
  for (let i = 0; !stop.aborted; i++) {
    const id = `${name}-${String(i).padStart(6, "0")}`;
    const key = `key-${random.below(20)}`;
    const message = { key, sort: id, body: JSON.stringify({ id }), idempotencyKey: id };
    const { status, sequence } = await queue.enqueue(message, { deadlineMs: 30_000 });
    expect(["accepted", "duplicate"]).toContain(status);
    acknowledged.set(`${key}/${id}`, sequence);
  }
}

interface StormResult {
  readonly acknowledged: number;
  readonly stats: QueueStats;
  readonly lost: number;
  readonly outOfOrder: number;
}

/** Producers and workers at work while owner and workers are killed; then the reckoning. */
async function storm(engine: Engine, kills: number): Promise<StormResult> {
  const file = join(folder, `${engine}.db`);
  const effectsFile = join(folder, `${engine}.effects`);
  const startWorker = (name: string) => start(name, workerProgram, [portFile, effectsFile]);
  await startOwner(file, engine);
  await Promise.all(["worker-1", "worker-2"].map(startWorker));
  const queue = remoteQueue(call);
  const acknowledged = new Map<string, bigint>();
  const random = seededRandom("kills");
  const stop = new AbortController();
  const producers = [1, 2, 3, 4].map((name) => produce(queue, name, acknowledged, stop.signal));
  for (let round = 1; round <= kills; round++) {
    await new Promise((resolve) => setTimeout(resolve, 30 + random.below(300)));
    await kill("owner");
    await startOwner(file, engine);
    if (round % 3 > 0) continue;
    await kill("worker-1");
    await startWorker("worker-1");
  }
  stop.abort();
  await Promise.all(producers);
  const drained = async (): Promise<boolean> => {
    const { ready, leased, delayed } = await queue.stats();
    return ready + leased + delayed === 0;
  };
  await expect.poll(drained, { timeout: patienceMs, interval: 50 }).toBe(true);
  const stats = await queue.stats();
  for (const name of [...children.keys()]) await kill(name);
  const effects = readFileSync(effectsFile, "utf8").trim().split("\n");
  return { acknowledged: acknowledged.size, stats, ...reckon(acknowledged, effects) };
}

/** Acknowledged and never done; and done after a message of its key that came later. */
function reckon(
  acknowledged: ReadonlyMap<string, bigint>,
  effects: readonly string[],
): { lost: number; outOfOrder: number } {
  const done = new Set(effects);
  const last = new Map<string, bigint>();
  let outOfOrder = 0;
  for (const name of effects) {
    const key = name.split("/")[0] ?? "";
    const sequence = acknowledged.get(name) ?? 0n;
    if (sequence < (last.get(key) ?? 0n)) outOfOrder += 1;
    last.set(key, sequence);
  }
  return { lost: [...acknowledged.keys()].filter((name) => !done.has(name)).length, outOfOrder };
}

test("SIGKILL of owner and workers at random moments loses nothing that was acknowledged", async () => {
  const { acknowledged, stats, lost, outOfOrder } = await storm("sqlite", 10);
  expect({ lost, outOfOrder }).toEqual({ lost: 0, outOfOrder: 0 });
  const { accepted, done, dead } = stats;
  expect({ accepted, done, dead }).toEqual({ accepted: acknowledged, done: accepted, dead: 0 });
  expect(acknowledged).toBeGreaterThan(200);
});

test("canary: an owner that acknowledges what it has not stored is found out", async () => {
  const { lost, stats, acknowledged } = await storm("memory", 3);
  expect(lost).toBeGreaterThan(0);
  expect(stats.accepted).toBeLessThan(acknowledged);
});

test("a full disk refuses with a code, stores nothing half, and the owner stays up", async () => {
  const file = join(folder, "full.db");
  await startOwner(file, "sqlite", 800);
  const queue = remoteQueue(call);
  const enqueue = (i: number): Promise<unknown> =>
    queue.enqueue({
      ...{ key: `k${i % 3}`, sort: String(i).padStart(5, "0") },
      ...{ body: "x".repeat(4_000), idempotencyKey: `${i}` },
    });
  let stored = 0;
  const error = await (async () => {
    for (; stored < 1_000; stored++) await enqueue(stored);
  })().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "TENFOLD_QUEUEING_STORAGE_FAILED", retryable: true });
  expect(stored).toBeGreaterThan(10);
  const storage = { code: "TENFOLD_QUEUEING_STORAGE_FAILED" };
  await expect(enqueue(stored), "and again").rejects.toMatchObject(storage);
  const claiming = queue.claim({ max: 1, leaseMs: 1_000, waitMs: 0 });
  await expect(claiming, "a lease must be stored, too").rejects.toMatchObject(storage);
  expect(await queue.stats(), "reads go on").toMatchObject({ accepted: stored, ready: stored });
  expect((await queue.pending({ key: "k0", limit: 1 })).length).toBe(1);
  await kill("owner");

  await startOwner(file);
  expect(await queue.stats()).toMatchObject({ accepted: stored, ready: stored });
  await enqueue(stored);
  expect(await queue.stats()).toMatchObject({ accepted: stored + 1 });
  await kill("owner");
});
