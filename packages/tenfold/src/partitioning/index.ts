export type { KeyMap, PartitionKey } from "./key-map.ts";
export { slotAmong, slotDefaults, slotLimits, slotOf } from "./slot.ts";
export {
  decodeSlotMap,
  encodeSlotMap,
  evenSlotMap,
  finerSlotMap,
  rebalancedSlotMap,
  type SlotMap,
  type SlotPlacement,
  type SlotRange,
  slotMap,
} from "./slot-map.ts";
