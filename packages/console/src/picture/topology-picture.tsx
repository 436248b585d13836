import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import {
  type ConsoleState,
  instanceKey,
  type QueueState,
} from "../../../cli/src/console/console-state.ts";
import { count, perSecond } from "../format.ts";
import { pressed } from "../pressed.ts";
import { type Box, type PlacedEdge, type PlacedGroup, type PlacedNode, sizes } from "./boxes.ts";
import { groupsOf } from "./groups.ts";
import { InstanceDetails } from "./instance-details.tsx";
import { InstanceNode } from "./instance-node.tsx";
import { layout } from "./layout.ts";

export interface TopologyPictureProps {
  readonly state: ConsoleState;
  readonly onKill: (instance: string) => void;
  readonly onRestart: (service: string) => void;
}

/** The fleet as a picture: who is there, how it fares, and what flows between. */
export function TopologyPicture({ state, onKill, onRestart }: TopologyPictureProps): VNode {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(1_180);
  const [shown, setShown] = useState<string>();
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.floor(entry.contentRect.width));
    });
    if (frame.current) watcher.observe(frame.current);
    return () => watcher.disconnect();
  }, []);
  const picture = useMemo(() => layout(groupsOf(state), drawnLinks(state), width), [state, width]);
  const nodes = picture.groups.flatMap(({ nodes }) => nodes);
  const detailed = nodes.find((placed) => keyOf(placed) === shown);
  return (
    <div class="picture" ref={frame}>
      {/* biome-ignore lint/a11y/useSemanticElements: a picture with buttons in it has no element. */}
      <svg
        width={picture.width}
        height={picture.height}
        viewBox={`0 0 ${picture.width} ${picture.height}`}
        role="group"
        aria-label={`Topology of ${state.fleet}`}
      >
        {picture.hosts.map((host) => (
          <g key={host.name} class="host">
            <rect x={host.x} y={host.y} width={host.width} height={host.height} rx={12} />
            <text x={host.x + 12} y={host.y + 18}>{`host ${host.name}`}</text>
          </g>
        ))}
        {picture.edges.map((edge) => (
          <Edge key={`${edge.link.from} ${edge.link.to} ${edge.path}`} edge={edge} />
        ))}
        {picture.edges.map(({ labelPerSecond = 0, labelX, labelY, path }) =>
          labelPerSecond >= 0.05 ? (
            <text key={path} class="edge-label" x={labelX} y={labelY} text-anchor="end">
              {perSecond(labelPerSecond).replace("/s", "")}
            </text>
          ) : null,
        )}
        <Clients box={picture.clients} perSecond={state.totals.perSecond} />
        {picture.groups.map((placed) => (
          <GroupTitle key={placed.group.id} placed={placed} onRestart={onRestart} />
        ))}
        {nodes.map((placed) => (
          <InstanceNode
            key={keyOf(placed)}
            placed={placed}
            timeMs={state.timeMs}
            onKill={onKill}
            onShow={(isShown) => setShown(isShown ? keyOf(placed) : undefined)}
          />
        ))}
      </svg>
      {detailed ? (
        <InstanceDetails placed={detailed} picture={picture} timeMs={state.timeMs} />
      ) : null}
    </div>
  );
}

function keyOf({ node: { instance } }: PlacedNode): string {
  return instanceKey(instance.service, instance.name);
}

/** The clients' own link, and all others that end on something in the picture. */
function drawnLinks(state: ConsoleState) {
  const gateways = state.services.filter(({ role }) => role === "gateway");
  return [
    ...gateways.map(({ name }) => ({
      from: "clients",
      to: name,
      perSecond: state.totals.perSecond,
    })),
    ...state.links.filter(({ from, to }) => from !== to),
  ];
}

/** Ten times the traffic is 1.7 pixels more. */
function Edge({ edge }: { readonly edge: PlacedEdge }): VNode {
  const rate = edge.link.perSecond ?? 0;
  return (
    <path
      class={rate > 0 ? "edge busy" : "edge"}
      d={edge.path}
      stroke-width={(1.2 + 1.7 * Math.log10(1 + rate)).toFixed(1)}
    >
      <title>{`${edge.link.from} to ${edge.link.to}: ${perSecond(edge.link.perSecond)}`}</title>
    </path>
  );
}

function Clients({
  box,
  perSecond: rate,
}: {
  readonly box: Box;
  readonly perSecond: number;
}): VNode {
  const x = box.x + box.width / 2;
  const y = box.y + box.height / 2;
  return (
    <g class="clients">
      <rect x={box.x + 1} y={y - 22} width={box.width - 2} height={44} rx={22} />
      <text x={x} y={y - 2} text-anchor="middle" class="name">
        clients
      </text>
      <text x={x} y={y + 13} text-anchor="middle">
        {perSecond(rate)}
      </text>
    </g>
  );
}

interface GroupTitleProps {
  readonly placed: PlacedGroup;
  readonly onRestart: (service: string) => void;
}

function GroupTitle({ placed, onRestart }: GroupTitleProps): VNode {
  const { x, y, width, group } = placed;
  const { service, queue, color } = group;
  const restart = (): void => onRestart(group.target);
  return (
    <g class="group">
      {color ? <rect class={color} x={x} y={y + 3} width={11} height={11} rx={3} /> : null}
      <text x={x + (color ? 17 : 2)} y={y + 13} class="name">
        {group.title}
      </text>
      {queue ? <QueueNote queue={queue} x={x + 2} y={y + placed.height - 17} /> : null}
      {service?.restartable ? (
        // biome-ignore lint/a11y/useSemanticElements: SVG has no button.
        <g
          class="button"
          role="button"
          tabIndex={0}
          aria-label={`Restart ${group.title} one by one`}
          onClick={restart}
          onKeyDown={(event) => pressed(event) && restart()}
        >
          <title>{`Restart ${group.title}, one instance after the other`}</title>
          <rect x={x + width - 22} y={y} width={20} height={sizes.titleHeight - 3} rx={4} />
          <text x={x + width - 12} y={y + 13} text-anchor="middle">
            ↻
          </text>
        </g>
      ) : null}
    </g>
  );
}

interface QueueNoteProps {
  readonly queue: QueueState;
  readonly x: number;
  readonly y: number;
}

function QueueNote({ queue, x, y }: QueueNoteProps): VNode {
  const { ready, leased, delayed, dead, oldestSeconds } = queue;
  return (
    <g>
      <text x={x} y={y} class={dead > 0 ? "note bad" : "note"}>
        {`${count(ready + leased + delayed)} waiting, ${count(dead)} dead`}
      </text>
      <text x={x} y={y + 14}>
        {`oldest ${oldestSeconds.toFixed(1)} s`}
      </text>
    </g>
  );
}
