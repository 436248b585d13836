import { silentLog } from "tenfold/runtime";

import { createConsoleServer } from "../../cli/src/console/console-server.ts";
import { assetsFolder, loadAssets } from "../../cli/src/console/static-assets.ts";
import { fakeFleet, type Scenario, scenarios } from "./fake-fleet.ts";

/**
 * The real console server over a made-up fleet, to look at the page without one:
 * `node --conditions=tenfold:source packages/console/dev/fake-console.ts [SCENARIO] [PORT]`
 */
const [scenario = "well", port = "0"] = process.argv.slice(2);
if (!scenarios.includes(scenario as Scenario)) {
  console.error(`SCENARIO is one of ${scenarios.join(", ")}, got ${scenario}.`);
  process.exit(2);
}
const fleet = fakeFleet(scenario as Scenario);
const token = "fake";
const server = await createConsoleServer({
  listen: { host: "127.0.0.1", port: Number(port) },
  token,
  state: (since) => fleet.view.state(fleet.nowMs(), fleet.timeMs(), since),
  actions: { kill: async () => {}, restart: async () => {}, undo: async () => {} },
  assets: await loadAssets(assetsFolder),
  log: silentLog,
});
if (scenario !== "shot") {
  setInterval(() => {
    fleet.advance();
    server.push();
  }, 1_000);
}
console.log(`http://127.0.0.1:${server.port}/?token=${token}`);
