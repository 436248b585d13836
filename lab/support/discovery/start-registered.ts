import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("./registered-process.fixture.ts", import.meta.url));

export interface RegisteredOptions {
  readonly endpoints: string;
  readonly token?: string;
  readonly service: string;
  readonly name: string;
  readonly ttlMs: number;
}

export interface RegisteredProcess {
  readonly name: string;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

/** Starts an instance that registers itself; resolves when it is registered. */
export async function startRegistered(options: RegisteredOptions): Promise<RegisteredProcess> {
  const { endpoints, token, service, name, ttlMs } = options;
  const child = spawn(process.execPath, ["--conditions=tenfold:source", program], {
    env: {
      PATH: process.env.PATH,
      ENDPOINTS: endpoints,
      SERVICE: service,
      NAME: name,
      TTL_MS: String(ttlMs),
      ...(token !== undefined && { TOKEN: token }),
    },
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const gone = once(child, "exit");
  await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, "data"),
    gone.then(([code]) => {
      throw new Error(`${name} ended with ${code} before it was registered`);
    }),
  ]);
  return {
    name,
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}
