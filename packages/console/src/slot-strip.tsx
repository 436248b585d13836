import type { VNode } from "preact";
import type { PlacementState } from "../../cli/src/console/console-state.ts";
import { count } from "./format.ts";
import { shardColors } from "./shard-colors.ts";

/** Which shard holds which slot of a store, as one coloured strip. */
export function SlotStrip({ placement }: { readonly placement: PlacementState }): VNode {
  const { store, slots, ranges } = placement;
  const colors = shardColors(placement);
  const shards = [...colors.keys()];
  const held = (shard: string): number =>
    ranges
      .filter((range) => range.shard === shard)
      .reduce((sum, { first, last }) => sum + last - first + 1, 0);
  return (
    <section class="slots" aria-labelledby={`slots-${store}`}>
      <h2 id={`slots-${store}`}>
        {count(slots)} slots of {store}
      </h2>
      <svg
        viewBox={`0 0 ${slots} 20`}
        preserveAspectRatio="none"
        role="img"
        aria-label={shards.map((shard) => `${shard} holds ${held(shard)}`).join(", ")}
      >
        {ranges.map(({ first, last, shard }) => (
          <rect
            key={first}
            class={colors.get(shard)}
            x={first}
            y={0}
            width={last - first + 1}
            height={20}
          >
            <title>{`${first} to ${last}: ${shard}`}</title>
          </rect>
        ))}
      </svg>
      <ul>
        {shards.map((shard) => (
          <li key={shard}>
            <svg width="12" height="12" aria-hidden="true">
              <rect class={colors.get(shard)} width="12" height="12" rx="3" />
            </svg>{" "}
            {shard}: {count(held(shard))}
          </li>
        ))}
      </ul>
    </section>
  );
}
