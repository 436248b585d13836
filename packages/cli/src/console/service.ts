import { settingsAdmin } from "tenfold/flags";
import { defineService, type Service } from "tenfold/fleet";
import { fileStorage, TenfoldError } from "tenfold/runtime";

import { createCollector } from "./collector.ts";
import { createConsoleServer } from "./console-server.ts";
import { readConsoleSettings } from "./console-settings.ts";
import { fleetView, type SupervisorState } from "./fleet-view.ts";
import { assetsFolder, loadAssets } from "./static-assets.ts";
import { type SupervisorClient, supervisorClient } from "./supervisor-client.ts";
import { totalsFile } from "./totals-file.ts";

/**
 * The console: watches the fleet's maps, reads every process's metrics, and shows them as a page.
 */
export const service: Service = defineService({
  name: "console",
  async start(context) {
    const { instance, runtime, token, coordinator } = context;
    if (token === undefined) {
      throw new TenfoldError("TENFOLD_CONSOLE_TOKEN_MISSING", "The console has no token.");
    }
    const { fleet, host, address, port } = instance;
    const { clock, log } = runtime;
    const settings = readConsoleSettings(context.settings);
    const supervisor =
      settings.supervisor === undefined ? undefined : supervisorClient(settings.supervisor, token);
    const totals = totalsFile(fileStorage(instance.dataFolder), log);
    const run = await supervisor?.state(context.stopping).catch(() => undefined);
    const view = fleetView(fleet, host, settings.uses, await totals.read(run && runOf(run)));
    const admin = settingsAdmin({ coordinator, fleet, runtime });
    const server = await createConsoleServer({
      listen: { host: address, port },
      token,
      assets: await loadAssets(assetsFolder),
      state: (since) => view.state(clock.now(), clock.wallNow(), since),
      actions: {
        kill: (name) => needed(supervisor).kill(name, context.stopping),
        restart: (name) => needed(supervisor).restart(name, context.stopping),
        async undo(name, change) {
          await admin.undo({ name, by: "console", ifChange: change });
        },
      },
      log,
    });
    const onRound = () => {
      server.push();
      const { supervised, figures } = view;
      if (supervised) totals.save(runOf(supervised), figures.savedTotals(), clock.now());
    };
    const collector = createCollector({
      fleet,
      view,
      coordinator,
      supervisor,
      token,
      runtime,
      onRound,
    });
    return {
      async close() {
        await collector.close();
        await server.close();
      },
    };
  },
});

/** A supervisor that was started again is another run, which begins to count at zero. */
function runOf({ pid }: SupervisorState): string {
  return String(pid);
}

function needed(supervisor: SupervisorClient | undefined): SupervisorClient {
  if (supervisor !== undefined) return supervisor;
  const message = "No supervisor is configured: nothing can be killed or restarted from here.";
  throw new TenfoldError("TENFOLD_CONSOLE_SOURCE_FAILED", message);
}
