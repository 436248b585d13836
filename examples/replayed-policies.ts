// Tried before it goes live: one server of four becomes ten times slower. All in virtual time.
import { balancer, randomChoices, roundRobin } from "tenfold/balancing";
import { seededRandom } from "tenfold/runtime";
import { balancedCaller, openLoop, replay, replayFigures } from "tenfold/simulation";

const servers = [..."abcd"].map((id) => ({ id, slots: 10, queueMax: 100, serviceMs: 20 }));
const slow = { kind: "slow", server: "a", fromMs: 5_000, toMs: 60_000, factor: 10 } as const;
const trace = openLoop({ seed: "monday", durationMs: 60_000, perSecond: 200, clients: 2 });

for (const picking of [randomChoices(), roundRobin()]) {
  const caller = (client: number) => {
    const choice = balancer({ random: seededRandom(`client ${client}`), picking });
    choice.update(servers.map(({ id }) => ({ id, weight: 1 })));
    return balancedCaller({ balancer: choice });
  };
  const { p99Ms } = replayFigures(replay({ trace, servers, faults: [slow], caller }), 10_000);
  console.log(`99 of 100 calls take less than ${(p99Ms / 1_000).toFixed(1)} s`);
}

// Prints:
// 99 of 100 calls take less than 0.1 s
// 99 of 100 calls take less than 1.5 s
