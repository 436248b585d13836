import type { VNode } from "preact";
import { bytes, duration, milliseconds, percent, perSecond } from "../format.ts";
import { statusKind, statusWord } from "../status.ts";
import type { PlacedNode } from "./layout.ts";

const panelWidth = 230;

/** What there is to know of one process, beside it. */
export function InstanceDetails(props: {
  readonly placed: PlacedNode;
  readonly pictureWidth: number;
}): VNode {
  const { x, y, width, height, node } = props.placed;
  const { instance, part } = node;
  const fitsRight = x + width + panelWidth + 8 < props.pictureWidth;
  const left = fitsRight ? x + width + 8 : x - panelWidth - 8;
  const place =
    left < 0
      ? { left: Math.max(0, Math.min(x, props.pictureWidth - panelWidth)), top: y + height + 6 }
      : { left, top: y };
  const up = instance.startedAtMs === undefined ? undefined : Date.now() - instance.startedAtMs;
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
    <div
      class="details"
      style={{ left: `${place.left}px`, top: `${place.top}px`, width: `${panelWidth}px` }}
    >
      <h3>
        {instance.name} {part ? <small>{part}</small> : null}
      </h3>
      <p class={`status ${statusKind(instance.status)}`}>{statusWord(instance.status)}</p>
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
