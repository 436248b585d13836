import {
  compositeMap,
  encodePlacement,
  evenSlotMap,
  indexedMap,
  type KeyMap,
  listMap,
  modularMap,
  movedShare,
  movementBetween,
  type PlacementMap,
  placementOf,
  rangeMap,
  rebalancedSlotMap,
} from "tenfold/partitioning";
import { isTenfoldError, seededRandom } from "tenfold/runtime";

import { defineExperiment, type Lab } from "./support/experiment.ts";

const giant = 4_711;
const giantShare = 0.4;
const tenants = 10_000;
const calls = 200_000;
const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
const keys = callKeys();

/** Tenants by range, keys hashed within, single keys elsewhere: one placement out of four. */
export const experiment = defineExperiment({
  id: "R29",
  title: "composite placement: a range of tenants, hashed within",
  claim:
    "A giant tenant spreads over shards of its own, grows without touching the others, and a " +
    "single hot key of it lives alone; every region keeps its keys.",
  expectedMinutes: 0.1,
  run(lab) {
    giantTenant(lab);
    regions(lab);
    return Promise.resolve();
  },
});

/** Two shards for the first tenants, four for later ones, and the giant's own. */
function tenantMap(giantShards: readonly string[]) {
  const outer = rangeMap({
    version: 1,
    rows: [
      { start: 0, end: 1_000, shard: "first" },
      { start: 1_000, end: giant, shard: "later" },
      { start: giant, end: giant + 1, shard: "giant" },
      { start: giant + 1, end: -1, shard: "later" },
    ],
  });
  const four = evenSlotMap(names("giant", 4));
  const inside = new Map([
    ["first", evenSlotMap(names("first", 2))],
    ["later", evenSlotMap(names("later", 4))],
    ["giant", giantShards.length === 4 ? four : rebalancedSlotMap(four, giantShards)],
  ]);
  return compositeMap<PlacementMap, PlacementMap>({ version: 1, separator: "/", outer, inside });
}

function giantTenant({ figure, plot }: Lab): void {
  const byTenant = modularMap({ version: 1, by: "value", buckets: names("shard", 10) });
  const plain: KeyMap = {
    ...byTenant,
    shardOfKey: (key) => byTenant.shardOfKey(String(key).split("/")[0] as string),
  };
  const map = tenantMap(names("giant", 4));
  const strays = keys.filter((key) => {
    const tenant = Number(key.split("/")[0]);
    const group = tenant === giant ? "giant" : tenant < 1_000 ? "first" : "later";
    return map.groupOf(key) !== group || !map.shardOfKey(key).startsWith(group);
  });
  const loads = {
    "tenant % 10 shards": busiest(plain),
    "range, hashed within, 10 shards": busiest(map),
  };
  const none = { equals: 0 };
  figure({
    name: "calls outside their tenant's group",
    value: strays.length,
    unit: "",
    goal: none,
  });
  const [before, after] = Object.values(loads) as [number, number];
  figure({ name: "busiest shard beside the mean, tenant % 10", value: before, unit: "" });
  figure({
    name: "busiest shard beside the mean, composite",
    value: after,
    unit: "",
    goal: { atMost: 1.6 },
  });

  const grown = tenantMap(names("giant", 8));
  const others = keys.filter((key) => !key.startsWith(`${giant}/`));
  const ofGiant = keys.filter((key) => key.startsWith(`${giant}/`));
  figure({
    name: "keys of others moved when the giant gets 8 shards",
    value: movedShare(map, grown, others),
    unit: "",
    goal: none,
  });
  figure({
    name: "keys of the giant moved",
    value: movedShare(map, grown, ofGiant) * 100,
    unit: "%",
    goal: { atMost: 51 },
  });
  const groups = new Set(movementBetween(map, grown).moves.map(({ group }) => group));
  figure({
    name: "groups in the list of moves",
    value: groups.size,
    unit: "",
    goal: { equals: 1 },
  });

  const entry = { key: `${giant}/0`, shard: "alone", epoch: 1, state: "active" } as const;
  const index = indexedMap<PlacementMap>({ version: 1, base: grown, entries: [entry] });
  const again = placementOf(encodePlacement(index));
  const elsewhere = keys.filter(
    (key) => (again.shardOfKey(key) === "alone") !== (key === entry.key),
  );
  figure({
    name: "keys wrongly alone or not, after JSON",
    value: elsewhere.length,
    unit: "",
    goal: none,
  });
  plot({
    kind: "bar",
    name: "load",
    title: `One tenant makes ${giantShare * 100} % of the calls: the busiest of ten shards`,
    y: { label: "load beside the mean; 1 would be even" },
    bars: Object.entries(loads).map(([name, value]) => ({ name, value })),
  });
}

function regions({ figure }: Lab): void {
  const places = ["eu", "us", "asia"];
  const map = compositeMap<PlacementMap, PlacementMap>({
    version: 1,
    separator: ":",
    outer: listMap({ version: 1, rows: places.map((value) => ({ value, shard: value })) }),
    inside: new Map(places.map((place) => [place, evenSlotMap(names(place, 3))])),
  });
  let abroad = 0;
  for (let user = 0; user < 30_000; user++) {
    const place = places[user % 3] as string;
    if (!map.shardOfKey(`${place}:${user}`).startsWith(`${place}-`)) abroad += 1;
  }
  figure({ name: "keys outside their region", value: abroad, unit: "", goal: { equals: 0 } });
  const refused = ["mars:1", "eu", ""].filter((key) => {
    try {
      return map.shardOfKey(key) === "";
    } catch (error) {
      return isTenfoldError(error);
    }
  });
  figure({
    name: "of 3 keys without a known region, refused",
    value: refused.length,
    unit: "",
    goal: { equals: 3 },
  });
}

/** Keys `tenant/item`: one tenant makes a large share of the calls, the rest are even. */
function callKeys(): string[] {
  const random = seededRandom("r29");
  return Array.from({ length: calls }, () => {
    const tenant = random.next() < giantShare ? giant : random.below(tenants);
    return `${tenant}/${random.below(5_000)}`;
  });
}

function busiest(map: KeyMap): number {
  const counts = new Map<string, number>();
  for (const key of keys) {
    const shard = map.shardOfKey(key);
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  }
  return Math.max(...counts.values()) / (keys.length / map.shards.length);
}
