import type { Link } from "../../../cli/src/console/console-state.ts";
import { type Box, hostNames, type Picture, type PlacedGroup, placeGroup, sizes } from "./boxes.ts";
import type { Group } from "./groups.ts";

const clientsHeight = 44;
/** Between two stages: room for the trunk and its label. */
const stageGap = 30;
const controlStage = 9;

/**
 * The narrow picture: stages are rows, within one groups flow and wrap, hosts follow each other.
 * One trunk runs between rows instead of an edge a link: it carries all that goes further down.
 */
export function downwards(
  groups: readonly Group[],
  links: readonly Link[],
  width: number,
): Picture {
  const { padding, hostTitle, nodeGap, groupGap } = sizes;
  const nodeWidth = Math.floor((width - 2 * padding - nodeGap) / 2);
  const placed: PlacedGroup[] = [];
  const hosts: (Box & { name: string })[] = [];
  const trunks: { y: number; stage: number }[] = [];
  let y = clientsHeight + stageGap;
  for (const name of hostNames(groups)) {
    const top = y;
    y += hostTitle - 12;
    const here = groups.filter(({ host }) => host === name);
    const stages = [...Map.groupBy(here, rowOf)].sort(([a], [b]) => a - b);
    for (const [stage, all] of stages) {
      const row = flow(all, padding, y, nodeWidth);
      placed.push(...row);
      if (hosts.length === 0 && stage !== controlStage) trunks.push({ y, stage });
      y = Math.max(...row.map((one) => one.y + one.height)) + stageGap;
    }
    y += padding - stageGap;
    hosts.push({ name, x: 0, y: top, width, height: y - top });
    y += groupGap;
  }
  const clients = { x: width / 2 - 60, y: 0, width: 120, height: clientsHeight };
  const edges = trunks.map(({ y: end, stage }, index) => {
    const start = index === 0 ? clientsHeight : end - stageGap;
    const perSecond = rateInto(stage, groups, links);
    const path = `M${width / 2},${start} V${end}`;
    const link = { from: `stage ${index}`, to: `stage ${index + 1}`, perSecond };
    return { link, path, labelX: width / 2 - 6, labelY: end - 8, labelPerSecond: perSecond };
  });
  return { width, height: y - groupGap, hosts, groups: placed, clients, edges };
}

/** What serves no request comes last. */
function rowOf({ stage, order }: Group): number {
  return stage === 1 && order > 0 ? controlStage : stage;
}

function flow(
  groups: readonly Group[],
  left: number,
  top: number,
  nodeWidth: number,
): PlacedGroup[] {
  const placed: PlacedGroup[] = [];
  let x = left;
  let y = top;
  let rowHeight = 0;
  for (const group of groups) {
    const slots = group.nodes.length > 1 ? 2 : 1;
    if (x > left && (slots === 2 || x > left + nodeWidth + sizes.nodeGap)) {
      x = left;
      y += rowHeight + sizes.groupGap;
      rowHeight = 0;
    }
    const one = placeGroup(group, x, y, nodeWidth, slots);
    placed.push(one);
    rowHeight = Math.max(rowHeight, one.height);
    x += one.width + sizes.nodeGap;
  }
  return placed;
}

function rateInto(stage: number, groups: readonly Group[], links: readonly Link[]): number {
  const stageOf = new Map(groups.map((group) => [group.target, rowOf(group)]));
  return links.reduce((sum, { from, to, perSecond = 0 }) => {
    const [a, b] = [stageOf.get(from) ?? 0, stageOf.get(to) ?? 0];
    return Math.max(a, b) === stage && a !== b ? sum + perSecond : sum;
  }, 0);
}
