import {
  decodeSlotMap,
  type HeldPlacement,
  heldPlacement,
  type SlotMap,
} from "tenfold/partitioning";
import { errorText, type Log } from "tenfold/runtime";

/**
 * Reads entries of the placement map as the fleet uses them: one that cannot be used leaves the
 * store's last good one in force, and so on the page. Throws while there is none.
 */
export function placementReader(log: Log): (json: string, store: string) => SlotMap {
  const stores = new Map<string, HeldPlacement<SlotMap>>();
  return (json, store) => {
    const held = stores.get(store) ?? heldPlacement(decodeSlotMap);
    stores.set(store, held);
    try {
      return held.take(json);
    } catch (error) {
      if (held.current === undefined) throw error;
      log.warn("kept the last good placement", { store, error: errorText(error) });
      return held.current;
    }
  };
}
