import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";

import type { Engine } from "../../../tools/engines/index.ts";
import { until } from "../fleet.ts";

/**
 * How a proxy is set up: `plain`, the balancing named and nothing else; `tuned`, what its manual
 * offers against bad hosts besides: health checks, failures counted, another try elsewhere.
 */
export type ProxySetup = "plain" | "tuned";

export interface LocalProxyOptions {
  readonly engine: Engine;
  readonly setup: ProxySetup;
  readonly ports: readonly number[];
  /** Exists; for its configuration, logs and temporary files. */
  readonly folder: string;
  readonly tryTimeoutMs: number;
}

/** A proxy on the caller's own machine, before the servers. */
export interface LocalProxy {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts HAProxy or nginx as a child of this process, in the foreground, and waits for it. */
export async function startLocalProxy(options: LocalProxyOptions): Promise<LocalProxy> {
  const { folder, engine } = options;
  const { name, program, env } = engine;
  const port = await freePort();
  const file = join(folder, `${name}.conf`);
  mkdirSync(join(folder, "temp"), { recursive: true });
  writeFileSync(file, name === "haproxy" ? haproxyFile(options, port) : nginxFile(options, port));
  const args = name === "haproxy" ? ["-db", "-f", file] : ["-p", folder, "-c", file];
  const child = spawn(program, args, { env, cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      said = `${said}${chunk}`.slice(-4_000);
    });
  }
  await until(`${name} to listen`, 10_000, () => {
    if (hasEnded(child)) throw new Error(`${name} ended by itself:\n${said}`);
    return isListening(port);
  });
  return {
    port,
    async close() {
      if (hasEnded(child)) throw new Error(`${name} had ended by itself:\n${said}`);
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** leastconn as its manual has it; tuned with active checks, observed answers and redispatch. */
function haproxyFile({ setup, ports, tryTimeoutMs }: LocalProxyOptions, port: number): string {
  const tuned = setup === "tuned";
  const server = tuned ? " check inter 250 observe layer7 error-limit 5 on-error mark-down" : "";
  return `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server ${tryTimeoutMs}ms
${tuned ? "  option redispatch 1\n  retries 2\n  retry-on all-retryable-errors\n" : ""}
listen work
  bind 127.0.0.1:${port}
  balance leastconn
${tuned ? "  option httpchk GET /health\n" : ""}
${ports.map((each, host) => `  server s${host} 127.0.0.1:${each}${server}`).join("\n")}
`;
}

/** least_conn as its manual has it; tuned, a 503 counts as a failure and is tried elsewhere. */
function nginxFile(options: LocalProxyOptions, port: number): string {
  const { setup, ports, folder, tryTimeoutMs } = options;
  const tuned = setup === "tuned";
  const server = tuned ? " max_fails=5 fail_timeout=2s" : "";
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off;
master_process off;
worker_processes 1;
pid ${join(folder, "nginx.pid")};
error_log ${join(folder, "error.log")} crit;
events { worker_connections 4096; }
http {
  access_log off;
${temporary.map((each) => `  ${each}_temp_path ${join(folder, "temp", each)};`).join("\n")}
  upstream work {
    least_conn;
${ports.map((each) => `    server 127.0.0.1:${each}${server};`).join("\n")}
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${port};
    keepalive_timeout 120s;
    keepalive_requests 1000000;
    location / {
      proxy_pass http://work;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 1s;
      proxy_read_timeout ${tryTimeoutMs}ms;
      proxy_next_upstream error timeout${tuned ? " http_503" : ""};
    }
  }
}
`;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Below the range that the operating system hands out by itself. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
