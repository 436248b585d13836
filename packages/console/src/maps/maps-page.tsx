import type { ComponentChildren, VNode } from "preact";
import type { ConsoleState } from "../../../cli/src/console/console-state.ts";
import { SlotStrip } from "../slot-strip.tsx";
import { MembersMap } from "./members-map.tsx";
import { SettingsMap } from "./settings-map.tsx";
import { TopologyMap } from "./topology-map.tsx";

export interface MapsPageProps {
  readonly state: ConsoleState;
  readonly stale: boolean;
  readonly onUndo: (name: string, change: number) => void;
}

/** The four maps that everything in the fleet decides by, as the coordinator has them. */
export function MapsPage({ state, stale, onUndo }: MapsPageProps): VNode {
  const { members, shards, placements, settings, timeMs } = state;
  return (
    <main class={stale ? "maps stale" : "maps"}>
      <MapSection
        title="Members"
        says="who is alive, where, and how loaded"
        writes="written by the instances themselves, gone with their sessions"
      >
        <MembersMap members={members} timeMs={timeMs} />
      </MapSection>
      <MapSection
        title="Topology"
        says="who is primary, who follows, since which epoch"
        writes="written by whoever may promote"
      >
        <TopologyMap shards={shards} />
      </MapSection>
      <MapSection
        title="Placement"
        says="which slot of keys lives on which shard"
        writes="written by the mover"
      >
        {placements.map((placement) => (
          <SlotStrip key={placement.store} placement={placement} />
        ))}
        {placements.length === 0 ? <p class="nothing">No store is placed by slots.</p> : null}
      </MapSection>
      <MapSection
        title="Settings"
        says="what people have set while the fleet runs"
        writes="written by people, each change with who, when and why"
      >
        <SettingsMap settings={settings} timeMs={timeMs} onUndo={onUndo} />
      </MapSection>
    </main>
  );
}

interface MapSectionProps {
  readonly title: string;
  readonly says: string;
  readonly writes: string;
  readonly children: ComponentChildren;
}

function MapSection({ title, says, writes, children }: MapSectionProps): VNode {
  const id = `map-${title.toLowerCase()}`;
  return (
    <section class="map" aria-labelledby={id}>
      <h2 id={id}>
        {title} <span>{says}</span>
      </h2>
      <p class="writes">{writes}</p>
      {children}
    </section>
  );
}
