import { coordinatorWorkerRecords, fleetKeys } from "tenfold/coordination";
import { defineService, type ServiceContext } from "tenfold/fleet";
import { createLeasedIds, snowflake } from "tenfold/identifiers";
import { numberOption, refuseUnknownKeys } from "tenfold/runtime";

import { guidRoutes } from "../guid/guid-routes.ts";

/** Half of it is how long ids go on at least while no coordinator answers. */
const windowMs = 720_000;

/** Hands out Snowflake ids: `GET /api/v1/guid`, and `/api/v1/guid/blocks?size=…` for many. */
export const service = defineService({
  name: "guid",
  start(context: ServiceContext) {
    const { instance, coordinator, runtime, metrics, session } = context;
    const epoch = epochSetting(context.settings);
    const ids = createLeasedIds({
      records: coordinatorWorkerRecords(coordinator, {
        prefix: fleetKeys(instance.fleet).numbers("snowflake"),
        session,
      }),
      generator: (lease) => snowflake({ ...lease, ...epoch }),
      owner: instance.name,
      workers: 1_024,
      windowMs,
      runtime,
      metrics,
    });
    return {
      routes: guidRoutes(ids),
      notReady: () => (ids.status().worker === undefined ? "claiming a worker number" : undefined),
      close: () => ids.close(),
    };
  },
});

function epochSetting(settings: Readonly<Record<string, unknown>>): { epochMs?: number } {
  refuseUnknownKeys("the guid service's settings", settings, ["epochMs"]);
  if (settings.epochMs === undefined) return {};
  return { epochMs: numberOption("epochMs", settings.epochMs, { min: 0, max: 2 ** 52 }) };
}
