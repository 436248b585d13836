import {
  boundedLoad,
  type HashPolicyName,
  hashPolicy,
  type KeyMovement,
  keyMovement,
  ring,
  sampleKeys,
} from "tenfold/hashing";
import { type Random, seededRandom } from "tenfold/runtime";

import { defineExperiment, type Lab } from "./support/experiment.ts";

const keys = [...sampleKeys(200_000)];
const named = (count: number, kind = "cache") =>
  Array.from({ length: count }, (_, i) => ({ nickname: `${kind}-${i + 1}` }));
const ringsDrawn = 40;

/** What happens to keys when servers come and go, and how evenly they lie. */
export const experiment = defineExperiment({
  id: "R32",
  title: "consistent hashing: movement, a server's death, distribution",
  claim:
    "Counting modulo n moves most keys when a server comes; the ring moves only those that must " +
    "move, whatever the weights; and with virtual nodes a dead server's load falls on all others.",
  expectedMinutes: 0.3,
  async run(lab) {
    growth(lab);
    death(lab);
    distribution(lab);
    weights(lab);
    overload(lab);
  },
});

/** One pool grows into another, by three policies. */
function growth(lab: Lab): void {
  const grown = (policy: HashPolicyName, from: number, to: number): KeyMovement =>
    keyMovement(
      hashPolicy({ policy, nodes: named(from) }),
      hashPolicy({ policy, nodes: named(to) }),
      keys,
    );
  const bars: { name: string; value: number }[] = [];
  const moved = (policy: HashPolicyName, from: number, to: number): KeyMovement => {
    const movement = grown(policy, from, to);
    bars.push({ name: `${policy} ${from} → ${to}`, value: percent(movement.moved) });
    return movement;
  };
  lab.figure({
    name: "modulo, 2 → 3 servers: keys moved",
    value: percent(moved("modulo", 2, 3).moved),
    unit: "%",
    goal: { atLeast: 66 },
  });
  const doubled = moved("modulo", 2, 4);
  lab.figure({
    name: "modulo, 2 → 4 servers: keys moved",
    value: percent(doubled.moved),
    unit: "%",
    goal: { atMost: 50.5 },
  });
  lab.figure({
    name: "modulo, 2 → 4: moved between the old two",
    value: doubled.needless,
    unit: "keys",
    goal: { equals: 0 },
  });
  moved("modulo", 10, 11);
  for (const policy of ["ring", "jump"] as const) {
    moved(policy, 2, 3);
    moved(policy, 2, 4);
    const { moved: count, needless } = moved(policy, 10, 11);
    lab.figure({
      name: `${policy}, 10 → 11 servers: keys moved`,
      value: percent(count),
      unit: "%",
      goal: { atMost: 12 },
    });
    lab.figure({
      name: `${policy}, 10 → 11: moved between the old ten`,
      value: needless,
      unit: "keys",
      goal: { equals: 0 },
    });
  }
  lab.plot({
    kind: "bar",
    name: "growth",
    title: "Keys that move when servers are added",
    y: { label: "of all keys, %" },
    bars,
  });
}

/** One of ten servers dies: who takes what it had? */
function death(lab: Lab): void {
  const nodes = named(10);
  const bars: { name: string; value: number }[] = [];
  const heaviest = (points: number): number => {
    const before = ring(nodes, { pointsPerWeight: points });
    const dead = "cache-8";
    const after = ring(
      nodes.filter(({ nickname }) => nickname !== dead),
      { pointsPerWeight: points },
    );
    const lost = before.shares().get(dead) ?? 0;
    const parts = Array.from(after.shares(), ([name, share]) => ({
      name: `${name}, ${points} ${points === 1 ? "point" : "points"} each`,
      value: (100 * (share - (before.shares().get(name) ?? 0))) / lost,
    }));
    bars.push(...parts);
    return Math.max(...parts.map(({ value }) => value));
  };
  lab.figure({
    name: "a server dies, no virtual nodes: one neighbour takes",
    value: heaviest(1),
    unit: "% of its keys",
    goal: { atLeast: 99.9 },
  });
  lab.figure({
    name: "a server dies, 160 virtual nodes: the most to one",
    value: heaviest(160),
    unit: "% of its keys",
    goal: { atMost: 25 },
  });
  lab.plot({
    kind: "bar",
    name: "death",
    title: "Who takes the keys of cache-8 when it dies",
    y: { label: "of its keys, %" },
    bars,
  });
}

/** How unequal the shares of equal servers are, by the number of virtual nodes. */
function distribution(lab: Lab): void {
  const counts = [1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1_000];
  const spread = (points: number): { deviation: number; most: number } => {
    let square = 0;
    let most = 0;
    for (let drawn = 0; drawn < ringsDrawn; drawn++) {
      const shares = ring(named(10, `pool-${drawn}-n`), { pointsPerWeight: points }).shares();
      const relative = Array.from(shares.values(), (share) => share * 10);
      square += relative.reduce((sum, each) => sum + (each - 1) ** 2, 0) / 10;
      most += Math.max(...relative);
    }
    return { deviation: 100 * Math.sqrt(square / ringsDrawn), most: most / ringsDrawn };
  };
  const drawn = counts.map((points) => ({ points, ...spread(points) }));
  for (const [points, goal] of [
    [1, { atLeast: 70 }],
    [160, { atMost: 9 }],
    [1_000, { atMost: 3.6 }],
  ] as const) {
    const { deviation, most } = drawn.find((each) => each.points === points) ?? {
      deviation: Number.NaN,
      most: Number.NaN,
    };
    lab.figure({
      name: `${points} points: deviation of shares`,
      value: deviation,
      unit: "%",
      goal,
    });
    lab.figure({ name: `${points} points: busiest of ten, times the mean`, value: most, unit: "" });
  }
  lab.plot({
    kind: "line",
    name: "distribution",
    title: "How unequal ten equal servers are, by virtual nodes",
    x: { label: "virtual nodes of a server, logarithm to base 10" },
    y: { label: "standard deviation of the shares, % of the mean" },
    series: [
      {
        name: "ring",
        points: drawn.map(({ points, deviation }) => [Math.log10(points), deviation]),
      },
      {
        name: "100 / √points",
        points: counts.map((points) => [Math.log10(points), 100 / Math.sqrt(points)]),
      },
    ],
  });
}

/** Changes of nodes and weights: what moves that need not? */
function weights(lab: Lab): void {
  const random = seededRandom("r32");
  let needless = 0;
  const some = keys.slice(0, 5_000);
  for (let change = 0; change < 200; change++) {
    const [before, after] = [drawNodes(random), drawNodes(random)];
    needless += keyMovement(
      hashPolicy({ policy: "ring", nodes: before }),
      hashPolicy({ policy: "ring", nodes: after }),
      some,
    ).needless;
  }
  lab.figure({
    name: "ring, 200 changes of nodes and weights: needless",
    value: needless,
    unit: "keys",
    goal: { equals: 0 },
  });
  const servers = [600, 300, 200, 350, 1_000, 800, 950, 100].map((weight, i) => ({
    host: `10.0.1.${i + 1}`,
    weight,
  }));
  const ketama = keyMovement(
    hashPolicy({ policy: "libketama", nodes: servers }),
    hashPolicy({ policy: "libketama", nodes: servers.slice(0, -1) }),
    keys,
  );
  lab.figure({
    name: "libketama, a server of 2.3 % goes: needless",
    value: percent(ketama.needless),
    unit: "%",
    goal: { atLeast: 8 },
  });
}

function drawNodes(random: Random): { nickname: string; weight: number }[] {
  const count = 1 + random.below(8);
  const nodes = new Map<string, number>();
  while (nodes.size < count)
    nodes.set(`n-${random.below(12)}`, [0.5, 1, 2, 4][random.below(4)] ?? 1);
  return Array.from(nodes, ([nickname, weight]) => ({ nickname, weight }));
}

/** A few keys make most of the load: a plain ring follows them, a bound does not. */
function overload(lab: Lab): void {
  const circle = ring(named(10));
  const bounded = boundedLoad(circle, { ratio: 1.25 });
  const plain = new Map<string, number>();
  const random = seededRandom("r32-load");
  const held = 10_000;
  for (let i = 0; i < held; i++) {
    // Zipf by the inverse of the logarithm: key k is asked for about 1/k as often as the first.
    const key = `key-${Math.floor(10_000 ** random.next())}`;
    const { nickname } = circle.pick(key);
    plain.set(nickname, (plain.get(nickname) ?? 0) + 1);
    bounded.take(key);
  }
  lab.figure({
    name: "skewed load, plain ring: busiest, times the mean",
    value: Math.max(...plain.values()) / (held / 10),
    unit: "",
  });
  lab.figure({
    name: "skewed load, bound 1.25: busiest, times the mean",
    value: Math.max(...bounded.loads().values()) / (held / 10),
    unit: "",
    goal: { atMost: 1.251 },
  });
}

function percent(count: number): number {
  return (100 * count) / keys.length;
}
