import type { VNode } from "preact";
import { bytes, duration, milliseconds, percent, perSecond } from "../format.ts";
import { statusKind, statusWord } from "../status.ts";
import type { Picture, PlacedNode } from "./boxes.ts";

const panel = { width: 230, height: 300, gap: 8 } as const;

/** What there is to know of one process, beside it. */
export function InstanceDetails(props: {
  readonly placed: PlacedNode;
  readonly picture: Picture;
  readonly timeMs: number;
}): VNode {
  const { instance, part } = props.placed.node;
  const place = beside(props.placed, props.picture);
  const up = instance.startedAtMs === undefined ? undefined : props.timeMs - instance.startedAtMs;
  const rows: readonly (readonly [string, string])[] = [
    ["host", instance.host],
    ["port", String(instance.port ?? "–")],
    ["pid", String(instance.pid ?? "–")],
    ["version", instance.version ?? "–"],
    ["calls", perSecond(instance.perSecond)],
    ["CPU", percent(instance.cpuRatio)],
    ["memory", bytes(instance.memoryBytes)],
    ["event loop p99", milliseconds(instance.eventLoopMs)],
    ["restarts", String(instance.restarts)],
    ["up for", instance.pid === undefined ? "–" : duration(up)],
    ["last exit", instance.lastExit ?? "–"],
  ];
  return (
    <div class="details" style={place}>
      <h3>
        {instance.name} {part ? <small>{part}</small> : null}
      </h3>
      <p class={`status ${statusKind(instance, props.timeMs)}`}>
        {statusWord(instance, props.timeMs)}
      </p>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** To the right where there is room, else to the left, else below; never out of the picture. */
function beside({ x, y, width, height }: PlacedNode, picture: Picture) {
  const right = x + width + panel.gap;
  const left = x - panel.gap - panel.width;
  const fits = right + panel.width <= picture.width || left >= 0;
  const column = right + panel.width <= picture.width ? right : left;
  const inside = Math.max(0, Math.min(x, picture.width - panel.width));
  const row = Math.max(0, Math.min(y, picture.height - panel.height));
  return {
    width: `${panel.width}px`,
    left: `${fits ? column : inside}px`,
    top: `${fits ? row : y + height + panel.gap}px`,
  };
}
