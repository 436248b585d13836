import { defineService, type ServiceContext } from "tenfold/fleet";
import { invalidOption, refuseUnknownKeys } from "tenfold/runtime";

import { type UrlRules, urlRefused, urlRulesDefaults } from "../scrap/page-url.ts";
import { previewSource } from "../scrap/preview-source.ts";

/**
 * Previews of pages: `GET /api/v1/scrap?url=…`. The header `x-cache` says whether the page was
 * fetched for this answer, `age` how many seconds ago it was.
 */
export const service = defineService({
  name: "scrap",
  start({ runtime, settings }: ServiceContext) {
    const previews = previewSource({ rules: urlRules(settings), runtime });
    return {
      routes: {
        "GET /api/v1/scrap": async ({ query, signal }) => {
          const [url, ...more] = query.getAll("url");
          if (!url || more.length > 0) throw urlRefused("must be given once, as ?url=…");
          const { preview, source, ageMs } = await previews.get(url, signal);
          const headers = {
            "x-cache": source === "cache" ? "hit" : "miss",
            age: String(Math.floor(ageMs / 1000)),
          };
          return { status: 200, headers, body: preview };
        },
      },
    };
  },
});

/** @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN */
function urlRules(settings: Readonly<Record<string, unknown>>): UrlRules {
  refuseUnknownKeys("the scrap service's settings", settings, Object.keys(urlRulesDefaults));
  const { ports, allowHosts } = { ...urlRulesDefaults, ...settings };
  const isPort = (port: unknown): boolean =>
    typeof port === "number" && Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (!Array.isArray(ports) || !ports.every(isPort)) {
    throw invalidOption("ports", "a list of ports", JSON.stringify(ports));
  }
  const isHost = (host: unknown): boolean =>
    typeof host === "string" && /^[^\s/@]+:[0-9]{1,5}$/.test(host);
  if (!Array.isArray(allowHosts) || !allowHosts.every(isHost)) {
    throw invalidOption("allowHosts", 'a list of "host:port"', JSON.stringify(allowHosts));
  }
  return { ports, allowHosts };
}
