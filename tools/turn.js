// One command at a time installs and builds in a folder. Plain JavaScript for Node >= 20.
import { createHash } from "node:crypto";
import { connect, createServer } from "node:net";

/**
 * Waits until no other process prepares this folder, and holds the turn until it is released or
 * this process ends, however it ends: the kernel forgets an abstract socket with its process.
 * Where there are none (macOS, Windows) nobody waits.
 *
 * @param {string} folder
 * @param {() => void} onWait called once when another has the turn
 * @returns {Promise<() => void>} releases the turn
 */
export async function takeTurn(folder, onWait) {
  if (process.platform !== "linux") return () => {};
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 32);
  const path = `\0tenfold-turn-${name}`;
  for (let told = false; ; told = true) {
    const server = await listen(path);
    if (server !== undefined) return server;
    if (!told) onWait();
    await gone(path);
  }
}

function listen(path) {
  const waiting = new Set();
  const server = createServer((socket) => {
    waiting.add(socket.on("error", () => {}));
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen({ path }, () => {
      server.unref();
      resolve(() => {
        server.close();
        for (const socket of waiting) socket.destroy();
      });
    });
  });
}

/** The holder answers nothing: the connection ends when it releases the turn, or dies. */
function gone(path) {
  return new Promise((resolve) => {
    connect({ path })
      .on("error", () => {})
      .on("close", () => setTimeout(resolve, 50))
      .resume();
  });
}
