// Other ways to find a key's node, each for another need.
import {
  boundedLoad,
  hashPolicy,
  jump,
  ketama,
  keyMovement,
  maglev,
  redisSlot,
  rendezvous,
  ring,
  sampleKeys,
} from "tenfold/hashing";

const nodes = ["cache-1", "cache-2", "cache-3"].map((nickname) => ({ nickname }));

// Few nodes, or the choice of replicas.
const replicas = rendezvous(nodes).replicas("user:42", 2);
console.log(`rendezvous: ${replicas.map(({ nickname }) => nickname).join(", then ")}`);

// Connections spread evenly: shares differ by less than a thousandth.
const shares = [...maglev(nodes).shares().values()];
console.log(`maglev: ${shares.map((share) => share.toFixed(3)).join(" ")}`);

// Numbered shards that only grow.
console.log(`jump: bucket ${jump("user:42", 10)} of 10, ${jump("user:42", 11)} of 11`);

// A key that everybody asks for: no node holds more than 1.25 times its part.
const load = boundedLoad(ring(nodes));
for (let call = 0; call < 300; call++) load.take("celebrity");
console.log(`bounded: ${Math.max(...load.loads().values())} of 300 calls on the busiest of three`);

// A pool that a memcached client in another language reads, too.
const pool = ketama("libmemcached", [{ host: "10.0.0.1" }, { host: "10.0.0.2", weight: 2 }]);
console.log(`ketama: ${pool.points} points, user:42 on ${pool.pick("user:42").host}`);

// A Redis cluster's slots: keys with one tag share a slot, and may be in one command.
console.log(`Redis: slots ${redisSlot("{user:42}:posts")} and ${redisSlot("{user:42}:likes")}`);

// What a change would move, before it is made; `npx tenfold ring diff` draws it.
const before = hashPolicy({ policy: "modulo", nodes });
const after = hashPolicy({ policy: "modulo", nodes: [...nodes, { nickname: "cache-4" }] });
const { moved, keys } = keyMovement(before, after, sampleKeys(20_000));
console.log(`modulo, 3 to 4 nodes: ${Math.round((moved * 100) / keys)} % of the keys move`);

// Prints:
// rendezvous: cache-3, then cache-2
// maglev: 0.333 0.333 0.333
// jump: bucket 2 of 10, 2 of 11
// bounded: 125 of 300 calls on the busiest of three
// ketama: 316 points, user:42 on 10.0.0.2
// Redis: slots 15880 and 15880
// modulo, 3 to 4 nodes: 75 % of the keys move
