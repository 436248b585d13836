import type { VNode } from "preact";
import type { InstanceState } from "../../../cli/src/console/console-state.ts";
import { perSecond } from "../format.ts";
import { pressed } from "../pressed.ts";
import { statusKind, statusWord } from "../status.ts";
import type { PlacedNode } from "./boxes.ts";

export interface InstanceNodeProps {
  readonly placed: PlacedNode;
  readonly timeMs: number;
  readonly onKill: (instance: string) => void;
  readonly onShow: (isShown: boolean) => void;
}

/** One process: its state by colour, sign and word, where it listens, how busy it is. */
export function InstanceNode({ placed, timeMs, onKill, onShow }: InstanceNodeProps): VNode {
  const { x, y, width, height } = placed;
  const { instance, part } = placed.node;
  const kind = statusKind(instance, timeMs);
  const word = kind === "good" ? undefined : statusWord(instance, timeMs);
  const kill = (): void => onKill(instance.name);
  const show = (): void => onShow(true);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: hovering only shows more; the focusable parts are inside.
    <g class={`node ${kind}`} onMouseEnter={show} onMouseLeave={() => onShow(false)}>
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: focus shows the details, as hovering does. */}
      <g
        tabIndex={0}
        role="img"
        aria-label={spoken(instance, part, statusWord(instance, timeMs))}
        onFocus={show}
        onBlur={() => onShow(false)}
      >
        <rect class="body" x={x} y={y} width={width} height={height} rx={7} />
        <rect class="bar" x={x} y={y} width={5} height={height} rx={2.5} />
        <text class="name" x={x + 13} y={y + 15}>
          {instance.name}
        </text>
        <text class="facts" x={x + 13} y={y + 29}>
          {word ?? facts(instance, part)}
        </text>
        {word === undefined && instance.perSecond !== undefined ? (
          <text class="facts" x={x + width - 8} y={y + 29} text-anchor="end">
            {perSecond(instance.perSecond)}
          </text>
        ) : null}
      </g>
      {instance.killable ? (
        // biome-ignore lint/a11y/useSemanticElements: SVG has no button.
        <g
          class="button kill"
          role="button"
          tabIndex={0}
          aria-label={`Kill ${instance.name}`}
          onFocus={show}
          onBlur={() => onShow(false)}
          onClick={kill}
          onKeyDown={(event) => pressed(event) && kill()}
        >
          <title>{`Kill ${instance.name} (SIGKILL)`}</title>
          <rect x={x + width - 22} y={y + 2} width={20} height={17} rx={4} />
          <text x={x + width - 12} y={y + 14.5} text-anchor="middle">
            ✕
          </text>
        </g>
      ) : null}
    </g>
  );
}

/** The part it plays, its version and its port. */
function facts(instance: InstanceState, part: string | undefined): string {
  const { version, port } = instance;
  const words = [
    part,
    part || version === undefined ? undefined : `v${version}`,
    port && `:${port}`,
  ];
  return words.filter(Boolean).join(" ");
}

function spoken(instance: InstanceState, part: string | undefined, word: string): string {
  const words = [instance.name, part, word];
  if (instance.perSecond !== undefined) words.push(perSecond(instance.perSecond));
  return words.filter(Boolean).join(", ");
}
