// A process that follows a fleet's settings many times over and tells when each follower saw what.
import { connectEtcd } from "tenfold/engines/etcd";
import { createSettings } from "tenfold/flags";
import { systemClock } from "tenfold/runtime";

import { labSettings } from "./lab-settings.ts";

export interface WatcherSettings {
  readonly endpoints: string;
  readonly fleet: string;
  readonly watchers: number;
}

/** A value that all followers of this process have seen, and when each did. */
export interface SeenValue {
  readonly round: number;
  /** Nanoseconds of the machine's monotonic clock, which all processes share. */
  readonly atNs: readonly number[];
}

const { endpoints, fleet, watchers } = JSON.parse(process.env.WATCHER ?? "") as WatcherSettings;
const coordinator = connectEtcd({ endpoints });
const seen = new Map<number, number[]>();

function note(round: number): void {
  const atNs = seen.get(round) ?? [];
  atNs.push(Number(process.hrtime.bigint()));
  seen.set(round, atNs);
  if (atNs.length < watchers) return;
  process.send?.({ round, atNs } satisfies SeenValue);
  seen.delete(round);
}

for (let index = 0; index < watchers; index++) {
  const settings = createSettings({ coordinator, fleet, definitions: labSettings });
  void (async () => {
    // Not before it is heard: the default would be taken for the first value.
    while (settings.source !== "coordinator") await systemClock.sleep(10);
    let last = -1;
    for await (const values of settings.watch()) {
      const round = values["lab.round"];
      if (round !== last) note(round);
      last = round;
    }
  })();
}
process.on("disconnect", () => process.exit(0));
