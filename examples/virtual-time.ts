// A call policy as it stands in production, a server that is down for 20 seconds, and a minute of
// virtual time, which takes a moment.
import { callPolicy } from "tenfold/resilience";
import { seededRandom } from "tenfold/runtime";
import { openLoop, serverModel, virtualClock } from "tenfold/simulation";

const clock = virtualClock();
const runtime = { clock, random: seededRandom("policy") };
const policy = callPolicy({ name: "search", idempotent: true, runtime });
const spec = { id: "search", slots: 4, queueMax: 100, serviceMs: 10 };
const fault = { kind: "failing", server: "search", share: 1, afterMs: 5 } as const;
const down = { ...fault, fromMs: 10_000, toMs: 30_000 };
const server = serverModel(spec, [down], clock, seededRandom("server"));

const answers = { own: 0, standIn: 0 };
let requests = 0;
const search = (demand: number) =>
  new Promise<void>((resolve, reject) => {
    requests += 1;
    server.serve(demand, (ok) => (ok ? resolve() : reject(new Error("down"))));
  });
const call = async (demand: number) => {
  const { degraded } = await policy.runOr(
    () => search(demand),
    () => undefined,
  );
  answers[degraded ? "standIn" : "own"] += 1;
};

const minute = { seed: "minute", durationMs: 60_000, perSecond: 50, clients: 1 };
for (const { atMs, demand } of openLoop(minute)) clock.setTimer(atMs, () => void call(demand));
await clock.run();

const changes = policy.explain().filter(({ kind }) => kind === "circuitChanged");
for (const { at, why } of changes) console.log(`${(at / 1_000).toFixed(1)} s: ${why}`);
console.log(`${answers.own} answers, ${answers.standIn} stand-ins, ${requests} requests`);

// Prints:
// 10.1 s: open
// 38.8 s: halfOpen
// 38.9 s: ramping
// 43.9 s: closed
// 1449 answers, 1526 stand-ins, 1462 requests
