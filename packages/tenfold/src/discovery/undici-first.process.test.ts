import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { expect, it, onTestFinished } from "vitest";

const fixture = fileURLToPath(new URL("./undici-first.fixture.ts", import.meta.url));

it.each(["undici6", "undici7", "undici8"])("answers where %s was loaded first", async (copy) => {
  const args = ["--conditions=tenfold:source", fixture, copy];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = once(child, "exit");
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect([await ended, errors]).toEqual([[0, null], ""]);
  expect(JSON.parse(out)).toEqual({
    client: "/client",
    clientFetch: "/client-fetch",
    fetch: "/fetch",
    interceptor: "/interceptor",
    ownConnections: true,
  });
});
