import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** A small HTTP server in a process of its own, to be killed, stopped and restarted by tests. */
export interface ChildServer {
  readonly port: number;
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
  /** SIGKILL, and waits for the end. */
  stop(): Promise<void>;
  /** Method and target of every request so far, `/seen` itself left out. */
  seen(): Promise<readonly string[]>;
}

export interface ChildServerOptions {
  /** 0 takes a free port. */
  readonly port?: number;
  /** How the server calls itself in its answers. */
  readonly name?: string;
}

/**
 * Starts the server. It answers every path with JSON that tells what it received
 * (`{ name, method, url, headers, body, received, count }`, the last two since its start), and
 * heeds these query parameters: `ms` (waits), `status`, `bytes` (answers so many), `cut` (breaks
 * off after half of the answer), `chunked` (without a length). On SIGTERM it answers with
 * `connection: close` for `TERM_MS`, then finishes what is under way and exits.
 */
export async function startChildServer(options: ChildServerOptions = {}): Promise<ChildServer> {
  const { port = 0, name = "child" } = options;
  const child = spawn(process.execPath, ["-e", program], {
    env: { PORT: String(port), NAME: name, TERM_MS: "150" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(child, "exit").then(() => {});
  const listening = await firstLine(child);
  return {
    port: Number(listening),
    pid: child.pid as number,
    gone,
    kill: (signal) => void child.kill(signal),
    async stop() {
      child.kill("SIGKILL");
      await gone;
    },
    async seen() {
      const answer = await fetch(`http://127.0.0.1:${listening}/seen`);
      return (await answer.json()) as readonly string[];
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [chunk] = await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, "data"),
    once(child, "exit").then(([code]) => {
      throw new Error(`the server ended with ${code} before it listened`);
    }),
  ]);
  return String(chunk).trim();
}

const program = `
const http = require("node:http");
const seen = [];
let received = 0;
let count = 0;
let stopping = false;
const server = http.createServer((request, response) => {
  if (request.url === "/seen") return response.end(JSON.stringify(seen));
  if (seen.length < 10_000) seen.push(request.method + " " + request.url);
  received++;
  const url = new URL(request.url, "http://x");
  const number = (name) => Number(url.searchParams.get(name));
  const chunks = [];
  if (stopping) response.setHeader("connection", "close");
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("error", () => {});
  request.on("end", () => setTimeout(answer, number("ms")));
  const answer = () => {
    count++;
    const body = number("bytes")
      ? Buffer.alloc(number("bytes"), "x")
      : Buffer.from(JSON.stringify({
          name: process.env.NAME, pid: process.pid, received, count,
          method: request.method, url: request.url, headers: request.headers,
          rawHeaders: request.rawHeaders, body: Buffer.concat(chunks).toString("latin1"),
        }));
    response.writeHead(number("status") || 200, {
      "content-type": "application/json",
      ...(!url.searchParams.has("chunked") && { "content-length": body.length }),
      "x-secret-hop": "1",
      ...(url.searchParams.has("hop") && { connection: "x-secret-hop, keep-alive" }),
    });
    if (!url.searchParams.has("cut")) return response.end(body);
    response.write(body.subarray(0, body.length >> 1), () =>
      setTimeout(() => request.socket.destroy(), 20));
  };
});
server.keepAliveTimeout = 65_000;
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log(server.address().port));
process.on("SIGTERM", () => {
  stopping = true;
  setTimeout(() => server.close(() => process.exit(0)), Number(process.env.TERM_MS));
});
`;
