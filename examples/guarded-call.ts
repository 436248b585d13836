// A shop that can do without its recommendations: they fail, then hang; no page waits for them.
import { callPolicy, guard } from "tenfold/resilience";

let callee: "well" | "down" | "hanging" = "well";
const policy = callPolicy({
  name: "recommendations",
  deadlineMs: 300,
  idempotent: true,
  breaker: { consecutiveMax: 5 },
});
const recommended = guard(
  async ({ signal }, user: number) => {
    if (callee === "down") throw new Error("connection refused");
    if (callee === "hanging") await new Promise((_, reject) => (signal.onabort = reject));
    return [`what ${user} likes`];
  },
  policy,
  () => ["the usual order"],
);

console.log(await recommended(42));
callee = "down";
console.log(await recommended(42));
callee = "hanging";
for (let page = 0; page < 5; page += 1) await recommended(42);
console.log(await recommended(42));
console.log(policy.explain(2).map(({ kind, why }) => `${kind}: ${why}`));
console.log(policy.breaker?.refusal(performance.now()).message);

// Prints:
// { degraded: false, value: [ 'what 42 likes' ] }
// { degraded: true, reason: 'failed', value: [ 'the usual order' ] }
// { degraded: true, reason: 'circuitOpen', value: [ 'the usual order' ] }
// [ 'retried: failed', 'gaveUp: attemptsSpent', 'degraded: failed' ]
// recommendations is not called for now: 5 calls in a row failed.
