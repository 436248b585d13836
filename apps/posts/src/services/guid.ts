import { defineService, type ServiceContext } from "tenfold/fleet";
import { formatId } from "tenfold/identifiers";
import { numberOption, refuseUnknownKeys } from "tenfold/runtime";

import { createWorkerIds } from "../guid/worker-ids.ts";

/** Hands out Snowflake ids: `GET /api/v1/guid`. Both fields are text: a double has too few bits. */
export const service = defineService({
  name: "guid",
  start(context: ServiceContext) {
    const ids = createWorkerIds({
      fleet: context.instance.fleet,
      coordinator: context.coordinator,
      session: () => context.session(),
      runtime: context.runtime,
      ...epochSetting(context.settings),
    });
    return {
      routes: {
        "GET /api/v1/guid": () => {
          const guid = formatId(ids.next());
          return { status: 200, body: { guid, guid_str: guid } };
        },
      },
      notReady: () => (ids.worker === undefined ? "claiming a worker number" : undefined),
      close: () => ids.close(),
    };
  },
});

function epochSetting(settings: Readonly<Record<string, unknown>>): { epochMs?: number } {
  refuseUnknownKeys("the guid service's settings", settings, ["epochMs"]);
  if (settings.epochMs === undefined) return {};
  return { epochMs: numberOption("epochMs", settings.epochMs, { min: 0, max: 2 ** 52 }) };
}
