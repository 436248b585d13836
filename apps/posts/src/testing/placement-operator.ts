import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fleetKeys } from "tenfold/coordination";
import { connectEtcd } from "tenfold/engines/etcd";
import { decodeSlotMap, encodeSlotMap, evenSlotMap, type SlotMap } from "tenfold/partitioning";

import type { LabFleet } from "../../../../lab/support/fleet.ts";
import { call } from "./http-call.ts";

/** Someone who writes into the placement map of a running fleet by hand. */
export interface PlacementOperator extends AsyncDisposable {
  current(): Promise<SlotMap>;
  write(json: string): Promise<void>;
  /** How many placements every instance of posts refused, at least, by their logs. */
  refusals(): number;
}

export async function placementOperator(fleet: LabFleet): Promise<PlacementOperator> {
  const { fleet: name, instances } = await fleet.status();
  const node = instances.find(({ kind }) => kind === "coordinator");
  const endpoints = `http://${node?.address}:${node?.port}`;
  const coordinator = connectEtcd({ endpoints, token: fleet.token });
  const key = fleetKeys(name).placement("posts");
  const logs = join(fleet.dataFolder, "logs");
  return {
    async current() {
      return decodeSlotMap((await coordinator.get(key))?.value ?? "");
    },
    async write(json) {
      await coordinator.transact({ change: [{ put: key, value: json }] });
    },
    refusals() {
      const files = readdirSync(logs).filter((file) => /^posts-\d+\.log$/.test(file));
      const counts = files.map((file) => {
        const lines = readFileSync(join(logs, file), "utf8").split("\n");
        return lines.filter((line) => line.includes("unreadable entry") && line.includes(key));
      });
      return Math.min(...counts.map(({ length }) => length));
    },
    [Symbol.asyncDispose]: () => coordinator.close(),
  };
}

/** Where a user's posts are, as the demo page tells it. */
export interface PlaceOfUser {
  readonly slot: number;
  readonly shard: string;
}

export async function placeOfUser(gateway: string, user: number): Promise<PlaceOfUser> {
  const { text } = await call(gateway, `/demo?user=${user}`);
  const [, slot, shard] = /<dd>(\d+)<.*<dd>([\w-]+)</.exec(text) ?? [];
  if (slot === undefined || shard === undefined) throw new Error(`no place in ${text}`);
  return { slot: Number(slot), shard };
}

/** What must never take effect in place of a map, and why. */
export function badPlacements(map: SlotMap): readonly (readonly [why: string, json: string])[] {
  const next = { ...map, version: map.version + 1 };
  const [first, ...others] = next.ranges;
  if (first === undefined) throw new Error("a map has a range at least");
  const shorter = { ...first, last: first.last - 1 };
  return [
    ["no JSON", "{"],
    ["another format", encodeSlotMap(next).replace('"format":1', '"format":2')],
    ["a gap", encodeSlotMap({ ...next, ranges: [shorter, ...others] })],
    ["an overlap", encodeSlotMap({ ...next, ranges: [first, first, ...others] })],
    ["no slots", encodeSlotMap({ ...next, slots: 1_000 })],
    ["a shard that there is not", encodeSlotMap({ ...evenSlotMap(["elsewhere"]), version: 99 })],
    ["an older version", encodeSlotMap({ ...map, version: map.version - 1 || 0 })],
  ];
}
