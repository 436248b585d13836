import { invalidOption, numberOption } from "../runtime/options.ts";
import type { TimedGenerator } from "./id-generator.ts";
import { type IdLayout, type LayoutField, lowPart } from "./layout.ts";
import { noTick, type TickOptions, tickRule } from "./next-tick.ts";

export interface ShardedIdGeneratorOptions extends TickOptions {
  /** The field that each call gives a value; default "slot". At most 16 bits. */
  readonly field?: string;
  /** A value for every other field but time and sequence. */
  readonly fields?: Readonly<Record<string, number>>;
}

export interface ShardedIdGenerator extends TimedGenerator {
  /**
   * The next id of a slot, larger than every id of that slot before it. Each slot counts its own
   * sequence; see `IdGenerator.next` for the clock.
   *
   * @throws TENFOLD_OPTION_INVALID for a slot that the layout has no room for;
   *   TENFOLD_IDENTIFIERS_AHEAD, TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE
   */
  next(slot: number, wallMs: number, beforeMs?: number): bigint;
}

/**
 * A generator of ids that carry the slot of what they belong to: `shardedLayout`. O(1); 12 bytes
 * for each slot.
 *
 * @throws TENFOLD_OPTION_INVALID
 */
export function shardedIdGenerator(
  layout: IdLayout,
  options: ShardedIdGeneratorOptions = {},
): ShardedIdGenerator {
  const { field = "slot", fields = {} } = options;
  const between = layout.fields.slice(1, -1);
  const slotField = between.find(({ name }) => name === field);
  if (slotField === undefined || slotField.bits > 16) {
    const names = between.map(({ name }) => name).join(", ");
    throw invalidOption("field", `a field of at most 16 bits, one of: ${names}`, field);
  }
  const rule = tickRule(layout, options);
  const low = lowPart(
    between.filter((each) => each !== slotField),
    fields,
  );
  const stepMax = (layout.fields.at(-1) as LayoutField).max;
  const shift = BigInt(layout.lowBits);
  const ticks = new Float64Array(slotField.max + 1).fill(rule.firstTick);
  const used = new Uint32Array(slotField.max + 1).fill(stepMax);
  let lastTick = rule.firstTick;
  let borrowed = 0;
  // Most ids are of the moment's tick, so its upper part is kept.
  let baseTick = noTick;
  let base = 0n;
  const startOf = (tick: number): number => layout.epochMs + tick * layout.unitMs;

  return {
    next(slot, wallMs, beforeMs = Number.POSITIVE_INFINITY) {
      numberOption(field, slot, { min: 0, max: slotField.max });
      const before = ticks[slot] as number;
      const step = used[slot] as number;
      const tick = rule.next(before, step === stepMax, wallMs, beforeMs);
      const next = tick === before ? step + 1 : 0;
      ticks[slot] = tick;
      used[slot] = next;
      if (tick > lastTick) lastTick = tick;
      if (startOf(tick) > wallMs) borrowed += 1;
      if (tick !== baseTick) {
        baseTick = tick;
        base = BigInt(tick) << shift;
      }
      return base + BigInt(low + slot * slotField.unit + next);
    },
    get lastMs() {
      return lastTick === noTick ? undefined : startOf(lastTick);
    },
    get borrowed() {
      return borrowed;
    },
  };
}
