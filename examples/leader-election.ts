// Two candidates, one leader. The one that comes back late is kept out by a fence, not by luck.
import { campaign, coordinatorFence, currentLeader } from "tenfold/coordination";
import { createMemoryCoordinator, memoryStore } from "tenfold/engines/memory";

const store = memoryStore();
const coordinator = createMemoryCoordinator({ store });
const prefix = "/elections/alarms/";
const stand = async (value: string) => {
  const session = await coordinator.openSession({ ttlMs: 6_000 });
  return { session, term: campaign(coordinator, { prefix, session, value }) };
};

const ada = await stand("ada");
const bob = await stand("bob");
const adasTerm = await ada.term;
console.log(`${(await currentLeader(coordinator, prefix))?.value} leads`);

// What only the leader may do goes through a guard, which is asked in the same step as the data.
const guard = coordinatorFence(coordinator);
const sound = (name: string) => [{ put: "/alarm", value: `by ${name}` }];
await adasTerm.effect(guard, async (transact) => {
  await transact({ change: sound("ada") });

  // Here ada's process is frozen so long that her session ends, and bob takes office and acts.
  store.endSession(ada.session.id);
  const bobsTerm = await bob.term;
  await bobsTerm.effect(guard, (transactOfBob) => transactOfBob({ change: sound("bob") }));
  console.log(`bob's token is greater: ${bobsTerm.token > adasTerm.token}`);

  // Ada wakes up in the middle of her work.
  await transact({ change: sound("ada") }).catch((error) => console.log(error.code));
});
console.log((await coordinator.get("/alarm"))?.value);

// Prints:
// ada leads
// bob's token is greater: true
// TENFOLD_COORDINATION_FENCED
// by bob
