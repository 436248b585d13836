// Which cache has this key? The same answer everywhere; and few keys move when caches come and go.
import { ring } from "tenfold/hashing";

const caches = [
  { nickname: "cache-1", address: "10.0.0.1:6379" },
  { nickname: "cache-2", address: "10.0.0.2:6379" },
  { nickname: "cache-3", address: "10.0.0.3:6379" },
];
const before = ring(caches);
const after = ring([...caches, { nickname: "cache-4", address: "10.0.0.4:6379", weight: 2 }]);

const keys = Array.from({ length: 10_000 }, (_, i) => `user:${i}`);
const moved = keys.filter((key) => before.pick(key).nickname !== after.pick(key).nickname);
const toTheNewOne = moved.filter((key) => after.pick(key).nickname === "cache-4");
console.log(`moved: ${Math.round((moved.length / keys.length) * 100)} % of the keys`);
console.log(`all of them to cache-4: ${moved.length === toTheNewOne.length}`);

// A new machine with the old nickname: nothing moves.
const rehoused = ring(caches.map((each) => ({ ...each, address: "10.9.9.9:6379" })));
console.log(`same node: ${rehoused.pick("user:42").nickname === before.pick("user:42").nickname}`);
const [first, second] = before.replicas("user:42", 2);
console.log(`user:42 is on ${first?.nickname}, and on ${second?.nickname} if that goes`);

// Prints:
// moved: 42 % of the keys
// all of them to cache-4: true
// same node: true
// user:42 is on cache-1, and on cache-2 if that goes
