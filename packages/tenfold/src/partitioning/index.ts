export { slotDefaults, slotLimits, slotOf } from "./slot.ts";
export {
  decodeSlotMap,
  encodeSlotMap,
  evenSlotMap,
  type Placement,
  type SlotMap,
  type SlotRange,
  slotMap,
} from "./slot-map.ts";
