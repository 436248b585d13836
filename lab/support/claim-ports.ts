import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

/** A thousand ports that no other fleet of this machine is given meanwhile. */
export interface ClaimedPorts {
  readonly from: number;
  /** Idempotent; the end of the process, however it comes, does the same. */
  release(): void;
}

const lowest = 20_000;
const ranges = 12;
/** A fleet uses the first ports of some of its hundreds. */
const probed = [0, 1, 2, 500, 990];

/**
 * A thousand ports below the ephemeral range that are free. Two fleets that start at the same time
 * find the same ports free, so a range is claimed first: by an abstract socket, which the kernel
 * forgets with its process. Linux only.
 *
 * @param first the range to try first: not always the same, which may have just been in use
 */
export async function claimPorts(first = randomInt(ranges)): Promise<ClaimedPorts> {
  for (let index = 0; index < ranges; index++) {
    const from = lowest + ((first + index) % ranges) * 1_000;
    const claim = await listening({ path: `\0tenfold-ports-${from}` });
    if (claim === undefined) continue;
    claim.unref();
    const tried = await Promise.all(probed.map((offset) => isFree(from + offset)));
    if (tried.every(Boolean)) return { from, release: () => void claim.close() };
    claim.close();
  }
  throw new Error(`no thousand ports from ${lowest} to ${lowest + ranges * 1_000} are free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = await listening({ port, host: "127.0.0.1" });
  if (server === undefined) return false;
  return await new Promise((resolve) => server.close(() => resolve(true)));
}

function listening(where: { path: string } | { port: number; host: string }) {
  return new Promise<Server | undefined>((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(where, () => resolve(server));
  });
}
