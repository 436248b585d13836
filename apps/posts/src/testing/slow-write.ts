import { type LabFleet, until } from "../../../../lab/support/fleet.ts";
import { readMetrics } from "../../../../lab/support/metrics.ts";
import { type HttpAnswer, post } from "./http-call.ts";

export interface SlowWrite {
  readonly answer: Promise<HttpAnswer>;
}

/**
 * A write that is under way, with its request at scrap: the page behind its URL takes two seconds.
 * On a busy machine one may be over before it is seen; then there is another.
 */
export async function slowWrite(fleet: LabFleet, user: number): Promise<SlowWrite> {
  const { instances } = await fleet.status();
  const pages = instances.find(({ service }) => service === "pages");
  const scraping = instances.filter(({ service }) => service === "scrap");
  let begun = 0;
  const begin = () => {
    const url = `http://${pages?.address}:${pages?.port}/slow?${begun++}`;
    const write = {
      answer: post(fleet.gateway, `/api/v1/posts/${user}`, { contents: "slow", url }),
    };
    const state = { write, over: false };
    void write.answer.finally(() => {
      state.over = true;
    });
    return state;
  };
  const isScraped = async (): Promise<boolean> => {
    const asked = scraping.map(({ adminPort = 0 }) => readMetrics(adminPort, fleet.token));
    const inFlight = (await Promise.all(asked)).map(
      (metrics) => metrics.get("tenfold_http_requests_in_flight")?.[0],
    );
    return inFlight.some((series) => series?.value === 1);
  };
  let last = begin();
  await until("the slow page to be asked for", 90_000, async () => {
    if (await isScraped()) return !last.over;
    if (last.over) last = begin();
    return false;
  });
  return last.write;
}
