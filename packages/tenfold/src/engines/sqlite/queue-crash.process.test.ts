import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";

import { afterAll, expect, test } from "vitest";

import type { Queue, QueueStats } from "../../queueing/queue.ts";
import { decodeQueueError } from "../../queueing/queue-protocol.ts";
import { type RemoteCall, remoteQueue } from "../../queueing/remote-queue.ts";
import { createWorker } from "../../queueing/worker.ts";
import { seededRandom } from "../../runtime/random.ts";

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

let owner: ChildProcess | undefined;
let port = 0;

/** @param fileBlocksMax the greatest size of a file in blocks of 512 bytes: a disk that is full. */
async function startOwner(file: string, engine: Engine = "sqlite", fileBlocksMax?: number) {
  const node = [process.execPath, "--input-type=module", "-e", ownerProgram(engine), file];
  const limit = `ulimit -f ${fileBlocksMax ?? "unlimited"} && exec "$@"`;
  const child = spawn("sh", ["-c", limit, "sh", ...node], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  owner = child;
  if (child.stdout === null) throw new Error("the owner's output is a pipe");
  const [line] = await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(() => Promise.reject(new Error("the owner did not start"))),
  ]);
  port = Number(String(line));
}

async function killOwner(): Promise<void> {
  const child = owner;
  owner = undefined;
  if (child === undefined || child.exitCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

afterAll(async () => {
  await killOwner();
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

interface Tally {
  readonly acknowledged: Map<string, bigint>;
  readonly effects: Map<string, string[]>;
}

/** Enqueues until told to stop; every acknowledgement is written down. */
async function produce(queue: Queue, name: number, tally: Tally, stop: AbortSignal): Promise<void> {
  const random = seededRandom(`producer-${name}`);
  for (let i = 0; !stop.aborted; i++) {
    const id = `${name}-${String(i).padStart(6, "0")}`;
    const key = `key-${random.below(20)}`;
    const message = { key, sort: id, body: JSON.stringify({ id }), idempotencyKey: id };
    const { status, sequence } = await queue.enqueue(message, { deadlineMs: 30_000 });
    expect(["accepted", "duplicate"]).toContain(status);
    tally.acknowledged.set(`${key}/${id}`, sequence);
  }
}

interface StormResult {
  readonly acknowledged: number;
  readonly stats: QueueStats;
  readonly lost: number;
  readonly outOfOrder: number;
}

/** Producers and workers at work while the owner is killed again and again; then the reckoning. */
async function storm(engine: Engine, kills: number): Promise<StormResult> {
  const file = join(folder, `${engine}.db`);
  await startOwner(file, engine);
  const queue = remoteQueue(call);
  const tally: Tally = { acknowledged: new Map(), effects: new Map() };
  const random = seededRandom("kills");
  const workers = [1, 2].map(() =>
    createWorker({
      queue,
      leaseMs: 1_000,
      retry: { baseMs: 1, capMs: 50 },
      async handle(jobs) {
        if (random.below(20) === 0) throw new Error("now and then a handler fails");
        for (const { key, sort } of jobs) {
          tally.effects.set(key, [...(tally.effects.get(key) ?? []), sort]);
        }
      },
    }),
  );
  const stop = new AbortController();
  const producers = [1, 2, 3, 4, 5, 6].map((name) => produce(queue, name, tally, stop.signal));
  for (let kill = 0; kill < kills; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 30 + random.below(300)));
    await killOwner();
    await startOwner(file, engine);
  }
  stop.abort();
  await Promise.all(producers);
  const drained = async (): Promise<boolean> => {
    const { ready, leased, delayed } = await queue.stats();
    return ready + leased + delayed === 0;
  };
  await expect.poll(drained, { timeout: 30_000, interval: 50 }).toBe(true);
  await Promise.all(workers.map((worker) => worker.close()));
  const stats = await queue.stats();
  await killOwner();
  return { acknowledged: tally.acknowledged.size, stats, ...reckon(tally) };
}

/** Acknowledged and never done; and done before another message of its key that came earlier. */
function reckon({ acknowledged, effects }: Tally): { lost: number; outOfOrder: number } {
  const sequenceOf = (key: string, sort: string): bigint =>
    acknowledged.get(`${key}/${sort}`) ?? 0n;
  let outOfOrder = 0;
  const done = new Set<string>();
  for (const [key, sorts] of effects) {
    sorts.forEach((sort, i) => {
      done.add(`${key}/${sort}`);
      if (sequenceOf(key, sort) < sequenceOf(key, sorts[i - 1] ?? "")) outOfOrder += 1;
    });
  }
  return { lost: [...acknowledged.keys()].filter((name) => !done.has(name)).length, outOfOrder };
}

test("SIGKILL of the owner at random moments loses nothing that was acknowledged", async () => {
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
  await killOwner();

  await startOwner(file);
  expect(await queue.stats()).toMatchObject({ accepted: stored, ready: stored });
  await enqueue(stored);
  expect(await queue.stats()).toMatchObject({ accepted: stored + 1 });
  await killOwner();
});
