import type { VNode } from "preact";
import type { PlacementState } from "../../cli/src/console/console-state.ts";
import { count } from "./format.ts";

/** Which shard holds which slot of a store, as one coloured strip. */
export function SlotStrip({ placement }: { readonly placement: PlacementState }): VNode {
  const { store, slots, ranges } = placement;
  const shards = [...new Set(ranges.map(({ shard }) => shard))].sort();
  const color = (shard: string): string => `shard-${shards.indexOf(shard) % 8}`;
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
            class={color(shard)}
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
              <rect class={color(shard)} width="12" height="12" rx="3" />
            </svg>{" "}
            {shard}: {count(held(shard))}
          </li>
        ))}
      </ul>
    </section>
  );
}
