#!/usr/bin/env node
// Committed JavaScript, so that npm can link it before anything is built.
import { existsSync } from "node:fs";

const built = new URL("../dist/main.js", import.meta.url);
const major = Number(process.versions.node.split(".")[0]);

if (major < 24) {
  console.error(`tenfold: needs Node 24 or newer, this is ${process.versions.node}.`);
  process.exitCode = 1;
} else if (!existsSync(built)) {
  console.error("tenfold: the program is not built yet; run: npm run build");
  process.exitCode = 1;
} else {
  const { main } = await import(built.href);
  await main(process.argv);
}
