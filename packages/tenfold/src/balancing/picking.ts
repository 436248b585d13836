import type { Random } from "../runtime/random.ts";
import type { Host } from "./host.ts";

/** How one picks among hosts that may be picked. */
export interface Picker {
  /**
   * @param hosts not empty. The same array as long as nothing about membership, weights or
   *   health has changed.
   * @param key what the call is about, for affinity.
   */
  pick(hosts: readonly Host[], now: number, key: string | undefined): Host;
}

/** Makes the picker of one pool. */
export type Picking = (random: Random) => Picker;
