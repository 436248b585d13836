import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import {
  createCoordinatorNode,
  hashPassword,
  readUsers,
  type ServerTls,
} from "tenfold/engines/coordinator-node";
import { resolveSecret } from "tenfold/fleet";
import {
  errorReason,
  invalidOption,
  jsonLog,
  type SocketAddress,
  TenfoldError,
} from "tenfold/runtime";

import { type PrintOptions, print } from "../print.ts";

export interface ServeOptions extends PrintOptions {
  readonly listen: string;
  readonly data: string;
  readonly name?: string;
  readonly token?: string;
  readonly users?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** `tenfold coordinator`: serves until SIGTERM or Ctrl-C, then answers what was asked and ends. */
export async function serveCoordinator(options: ServeOptions): Promise<void> {
  const { name, users, token } = options;
  const tls = serverTls(options);
  const dataFolder = resolve(options.data);
  const node = await createCoordinatorNode({
    listen: listenAddress(options.listen),
    dataFolder,
    token: token === undefined ? undefined : await resolveSecret(token),
    ...(name === undefined ? {} : { name }),
    ...(users === undefined ? {} : { users: readUsers(contents("--users", users)) }),
    tls,
    runtime: {
      log: jsonLog({ level: "warn", write: (line) => process.stderr.write(`${line}\n`) }),
    },
  });
  const { host, port } = node.address;
  const at = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const url = `${tls === undefined ? "http" : "https"}://${at}`;
  const isOpen = token === undefined && users === undefined;
  print(options, { event: "ready", url, dataFolder, pid: process.pid, open: isOpen }, () => {
    const who = isOpen ? "; everyone on this machine may use it" : "";
    return `The coordinator listens on ${url}, its data is in ${dataFolder}${who}.`;
  });
  await new Promise<void>((stop) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop());
  });
  await node.close();
}

/** `tenfold coordinator user NAME`: the password comes on standard input, never as an argument. */
export async function printUser(name: string): Promise<void> {
  const password = (await text(process.stdin)).replace(/\r?\n$/, "");
  if (password === "") throw invalidOption("the password", "given on standard input", password);
  const line = `${name}:${await hashPassword(password)}`;
  readUsers(line);
  process.stdout.write(`${line}\n`);
}

function listenAddress(given: string): SocketAddress {
  const [, v6, name, digits] = /^(?:\[([\da-f:]+)\]|([^:]+)):(\d{1,5})$/i.exec(given) ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw invalidOption("--listen", "HOST:PORT, such as 127.0.0.1:2379 or [::1]:2379", given);
}

function serverTls({ cert, key }: ServeOptions): ServerTls | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw invalidOption("--cert and --key", "given together", cert ?? key);
  }
  return { certificate: contents("--cert", cert), key: contents("--key", key) };
}

function contents(option: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const why = `${option} names a file that cannot be read: ${errorReason(cause)}`;
    throw new TenfoldError("TENFOLD_OPTION_INVALID", why, { cause });
  }
}
