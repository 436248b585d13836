import type { VNode } from "preact";
import type { ShardState } from "../../../cli/src/console/console-state.ts";
import { count } from "../format.ts";

/** One line a shard: its primary, and who follows. */
export function TopologyMap({ shards }: { readonly shards: readonly ShardState[] }): VNode {
  if (shards.length === 0) return <p class="nothing">The fleet has no replicated store.</p>;
  const stores = [...Map.groupBy(shards, ({ store }) => store)];
  return (
    <>
      {stores.map(([store, all]) => (
        <div key={store} class="topology">
          <h3>{store}</h3>
          <ul>
            {all
              .toSorted((a, b) => a.shard.localeCompare(b.shard, "en", { numeric: true }))
              .map(({ shard, epoch, primary, standbys }) => (
                <li key={shard}>
                  <strong>{shard}</strong>
                  <span class="chip primary" title="takes the writes">
                    {primary}
                  </span>
                  {standbys.length === 0 ? <span class="nothing">no standby</span> : null}
                  {standbys.map((standby) => (
                    <span key={standby} class="chip" title="follows">
                      {standby}
                    </span>
                  ))}
                  <small>epoch {count(epoch)}</small>
                </li>
              ))}
          </ul>
        </div>
      ))}
    </>
  );
}
