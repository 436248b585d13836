import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A real Redis in a folder of its own that keeps nothing on disk, reached over a Unix socket. */
export interface RedisServer {
  readonly child: ChildProcess;
  readonly socketPath: string;
  connect(): Promise<RedisConnection>;
  /** SIGKILL, and removes its folder. Idempotent. */
  close(): Promise<void>;
}

export interface RedisConnection {
  /** Sends one command; rejects with the server's error, and when the connection is closed. */
  command(words: readonly string[]): Promise<unknown>;
  close(): void;
}

/** @param program the path of `redis-server` 7 or newer */
export async function startRedisServer(program: string): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "tenfold-redis-"));
  const socketPath = join(folder, "redis.sock");
  const libraries = join(dirname(program), "..", "lib", "x86_64-linux-gnu");
  const child = spawn(
    program,
    [
      "--port",
      "0",
      "--unixsocket",
      socketPath,
      "--dir",
      folder,
      "--save",
      "",
      "--appendonly",
      "no",
    ],
    { stdio: "ignore", env: { ...process.env, LD_LIBRARY_PATH: libraries } },
  );
  return {
    child,
    socketPath,
    async connect() {
      for (;;) {
        if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
        const connection = await connectRedisServer(socketPath).catch(() => undefined);
        if (connection !== undefined) return connection;
        await new Promise((done) => setTimeout(done, 20));
      }
    },
    async close() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A connection to a server of `startRedisServer`, also from another process. */
export async function connectRedisServer(socketPath: string): Promise<RedisConnection> {
  const socket = connect(socketPath);
  await once(socket, "connect");
  return respConnection(socket);
}

/** The little of RESP 2 that the tests need: one answer a command, in order. */
function respConnection(socket: Socket): RedisConnection {
  const waiting: PromiseWithResolvers<unknown>[] = [];
  let text = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    text += chunk;
    for (let answer = read(text, 0); answer !== undefined; answer = read(text, 0)) {
      text = text.slice(answer.end);
      const { value } = answer;
      if (value instanceof Error) waiting.shift()?.reject(value);
      else waiting.shift()?.resolve(value);
    }
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    for (const each of waiting.splice(0)) each.reject(new Error("the connection was closed"));
  });
  return {
    command(words) {
      const answer = Promise.withResolvers<unknown>();
      waiting.push(answer);
      const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
      socket.write(`*${words.length}\r\n${parts.join("")}`);
      return answer.promise;
    },
    close: () => void socket.destroy(),
  };
}

interface Answer {
  readonly value: unknown;
  readonly end: number;
}

/** The answer that begins at `from`, or undefined while it is not there in full. */
function read(text: string, from: number): Answer | undefined {
  const lineEnd = text.indexOf("\r\n", from);
  if (lineEnd < 0) return undefined;
  const [kind, line, end] = [text[from], text.slice(from + 1, lineEnd), lineEnd + 2];
  if (kind === "-") return { value: new Error(line), end };
  if (kind === ":") return { value: Number(line), end };
  if (kind === "$") {
    if (line === "-1") return { value: null, end };
    const after = end + Number(line) + 2;
    return text.length < after ? undefined : { value: text.slice(end, after - 2), end: after };
  }
  if (kind !== "*") return { value: line, end };
  const values: unknown[] = [];
  let at = end;
  for (let index = 0; index < Number(line); index++) {
    const item = read(text, at);
    if (item === undefined) return undefined;
    values.push(item.value);
    at = item.end;
  }
  return { value: values, end: at };
}
