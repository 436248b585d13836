export {
  type BoundedLoad,
  type BoundedLoadOptions,
  boundedLoad,
  boundedLoadDefaults,
  type TakenPlace,
  type TakeOptions,
} from "./bounded-load.ts";
export { type HashNode, hashNodeLimits } from "./hash-node.ts";
export { type HashPolicy, type HashPolicyName, hashPolicy } from "./hash-policy.ts";
export { jump, jumpLimits, jumpWords } from "./jump.ts";
export { type Ketama, type KetamaOptions, ketama } from "./ketama.ts";
export type { KetamaDialect, KetamaServer } from "./ketama-dialects.ts";
export { type KeyHash, keyHashes } from "./key-hash.ts";
export {
  type KeyMovement,
  keyMovement,
  type NodeMovement,
  sampleKeys,
} from "./key-movement.ts";
export { type Maglev, type MaglevOptions, maglev, maglevDefaults } from "./maglev.ts";
export { md5Words } from "./md5.ts";
export { murmur3 } from "./murmur3.ts";
export { murmur3x64, type Words128 } from "./murmur3-x64.ts";
export { redisSlot, redisSlots } from "./redis-slot.ts";
export { type Rendezvous, rendezvous } from "./rendezvous.ts";
export {
  type Ring,
  type RingInStepsOptions,
  type RingOptions,
  ring,
  ringDefaults,
  ringInSteps,
} from "./ring.ts";
