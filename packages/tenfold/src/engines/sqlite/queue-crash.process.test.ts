import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";

import { afterAll, expect, test } from "vitest";

import type { Queue } from "../../queueing/queue.ts";
import { decodeQueueError } from "../../queueing/queue-protocol.ts";
import { type RemoteCall, remoteQueue } from "../../queueing/remote-queue.ts";
import { createWorker } from "../../queueing/worker.ts";
import { seededRandom } from "../../runtime/random.ts";

const folder = mkdtempSync(join(tmpdir(), "tenfold-queue-crash-"));
const source = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** A queue's owner as its own process: prints its port, answers until it is killed. */
const ownerProgram = `
  import { createServer } from "node:http";
  import { json } from "node:stream/consumers";
  import { createSqliteQueue } from ${source("./queue.ts")};
  import { answerQueueCall, encodeQueueError } from ${source("../../queueing/queue-protocol.ts")};

  const queue = await createSqliteQueue({ file: process.argv[1] });
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

async function startOwner(file: string): Promise<void> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", ownerProgram, file], {
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
  readonly effects: Map<string, bigint[]>;
}

/** Enqueues until told to stop; every acknowledgement is written down. */
async function produce(queue: Queue, name: number, tally: Tally, stop: AbortSignal): Promise<void> {
  const random = seededRandom(`producer-${name}`);
  for (let i = 0; !stop.aborted; i++) {
    const id = `${name}-${String(i).padStart(6, "0")}`;
    const key = `key-${random.below(20)}`;
    const message = { key, sort: id, body: JSON.stringify({ id }), idempotencyKey: id };
    const { status, sequence, body } = await queue.enqueue(message, { deadlineMs: 30_000 });
    expect(["accepted", "duplicate"]).toContain(status);
    expect(body).toBe(message.body);
    expect(tally.acknowledged.has(`${key}/${id}`)).toBe(false);
    tally.acknowledged.set(`${key}/${id}`, sequence);
  }
}

test("SIGKILL of the owner at random moments loses nothing that was acknowledged", async () => {
  const file = join(folder, "queue.db");
  await startOwner(file);
  const queue = remoteQueue(call, { tryMs: 5_000 });
  const tally: Tally = { acknowledged: new Map(), effects: new Map() };
  const random = seededRandom("kills");

  const workers = [1, 2].map(() =>
    createWorker({
      queue,
      leaseMs: 1_000,
      retry: { baseMs: 1, capMs: 50 },
      async handle(jobs) {
        if (random.below(20) === 0) throw new Error("now and then a handler fails");
        for (const { key, sort, sequence } of jobs) {
          tally.effects.set(key, [...(tally.effects.get(key) ?? []), sequence]);
          if (!sort.includes("-")) throw new Error("not a message of ours");
        }
      },
    }),
  );
  const stop = new AbortController();
  const producers = [1, 2, 3, 4, 5, 6].map((name) => produce(queue, name, tally, stop.signal));
  for (let kill = 0; kill < 10; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 30 + random.below(300)));
    await killOwner();
    await startOwner(file);
  }
  stop.abort();
  await Promise.all(producers);

  const drained = async (): Promise<boolean> => {
    const { ready, leased, delayed } = await queue.stats();
    return ready + leased + delayed === 0;
  };
  await expect.poll(drained, { timeout: 30_000, interval: 50 }).toBe(true);
  await Promise.all(workers.map((worker) => worker.close()));

  const { accepted, done, dead } = await queue.stats();
  expect({ done, dead }).toEqual({ done: accepted, dead: 0 });
  expect(accepted, "each was stored once, and the last of each producer at most unknown").toBe(
    tally.acknowledged.size,
  );
  const lost = [...tally.acknowledged].filter(
    ([name, sequence]) => !tally.effects.get(name.split("/")[0] ?? "")?.includes(sequence),
  );
  expect(lost).toEqual([]);
  for (const sequences of tally.effects.values()) {
    expect(sequences, "a key's messages take effect in order").toEqual(
      [...sequences].sort((a, b) => Number(a - b)),
    );
  }
  expect(tally.acknowledged.size).toBeGreaterThan(200);
  console.log(`acknowledged ${tally.acknowledged.size}, accepted ${accepted}, 10 kills, lost 0`);
});
