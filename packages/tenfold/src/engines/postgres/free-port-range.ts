import { createServer } from "node:net";

const lowest = 10_000;
/** From here on fleets take a thousand at a time, and above them the system hands out ports. */
const ceiling = 20_000;
const attemptsMax = 100;

/** The first of `count` neighbouring ports that nobody listens on, below the ephemeral ones. */
export async function freePortRange(address: string, count: number): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const first = lowest + Math.floor(Math.random() * (ceiling - lowest - count));
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const free = await Promise.all(ports.map((port) => isFree(address, port)));
    if (free.every(Boolean)) return first;
  }
  throw new RangeError(`no ${count} neighbouring free ports on ${address}`);
}

function isFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: address, port }, () => server.close(() => resolve(true)));
  });
}
