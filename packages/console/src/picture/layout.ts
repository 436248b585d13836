import type { Link } from "../../../cli/src/console/console-state.ts";
import {
  type Box,
  compare,
  groupHeight,
  hostNames,
  type Picture,
  type PlacedEdge,
  type PlacedGroup,
  placeGroup,
  sideBySide,
  sizes,
} from "./boxes.ts";
import { downwards } from "./downwards.ts";
import { roadBetween } from "./edges.ts";
import type { Group } from "./groups.ts";

/** Where everything goes: a pure function of what there is and of the room for it. */
export function layout(groups: readonly Group[], links: readonly Link[], width: number): Picture {
  const sorted = [...groups].sort(
    (a, b) => a.stage - b.stage || a.order - b.order || compare(a.title, b.title),
  );
  if (width < sizes.acrossFrom) return downwards(sorted, links, width);
  const placed = across(sorted, width);
  return { ...placed, edges: edgesOf(placed, links) };
}

type Placed = Omit<Picture, "edges">;

/** Stages are columns that all hosts share; each host is a band over them. */
function across(groups: readonly Group[], width: number): Placed {
  const { padding, gutter, clientsWidth, hostTitle, nodeWidthMin, nodeWidthMax } = sizes;
  const hosts = hostNames(groups);
  const columns = columnsOf(groups);
  const slots = columns.reduce((sum, column) => sum + column.slots, 0);
  const gaps = columns.length * gutter + (slots - columns.length) * sizes.nodeGap;
  const room = (width - clientsWidth - 2 * padding - gaps) / Math.max(slots, 1);
  const nodeWidth = Math.floor(Math.min(nodeWidthMax, Math.max(nodeWidthMin, room)));
  const placed: PlacedGroup[] = [];
  const boxes: (Box & { name: string })[] = [];
  let right = clientsWidth + gutter;
  for (const column of columns) {
    column.x = right;
    right += column.slots * (nodeWidth + sizes.nodeGap) - sizes.nodeGap + gutter;
  }
  const total = right - gutter + padding;
  let top = 0;
  for (const name of hosts) {
    let bottom = top + hostTitle;
    for (const column of columns) {
      let y = top + hostTitle;
      for (const group of column.groups.filter(({ host }) => host === name)) {
        const one = placeGroup(group, column.x, y, nodeWidth);
        placed.push(one);
        y += one.height + sizes.groupGap;
      }
      bottom = Math.max(bottom, y - sizes.groupGap);
    }
    const x = clientsWidth + gutter - padding;
    const height = bottom + padding - top;
    boxes.push({ name, x, y: top, width: total - x, height });
    top += height + sizes.groupGap;
  }
  const gateway = placed.find(({ group }) => group.stage === 1);
  const clients = {
    x: 0,
    y: gateway?.y ?? hostTitle,
    width: clientsWidth,
    height: gateway?.height ?? 60,
  };
  return { width: total, height: top - sizes.groupGap, hosts: boxes, groups: placed, clients };
}

interface Column {
  readonly groups: readonly Group[];
  /** Nodes side by side. */
  readonly slots: number;
  x: number;
}

/** A stage that would grow too tall is continued in a further column. */
function columnsOf(groups: readonly Group[]): Column[] {
  const columns: Column[] = [];
  const heights = new Map<string, number>();
  let open: Group[] = [];
  const close = (): void => {
    if (open.length > 0)
      columns.push({ groups: open, slots: Math.max(...open.map(sideBySide)), x: 0 });
    open = [];
    heights.clear();
  };
  for (const group of groups) {
    const height = (heights.get(group.host) ?? 0) + groupHeight(group, sideBySide(group));
    const last = open.at(-1);
    if (last !== undefined && (last.stage !== group.stage || height > sizes.columnHeightMax))
      close();
    heights.set(
      group.host,
      (heights.get(group.host) ?? 0) + groupHeight(group, sideBySide(group)) + sizes.groupGap,
    );
    open.push(group);
  }
  close();
  return columns;
}

/** Where an edge can begin or end. */
interface Stop {
  readonly box: Box;
  readonly column: number;
  readonly laneY: number;
  /** Of all the instances that the name stands for. */
  readonly share: number;
}

function edgesOf(placed: Placed, links: readonly Link[]): PlacedEdge[] {
  const edges = links.flatMap((link) => {
    const ends = stopsOf(placed, link.to);
    return stopsOf(placed, link.from).flatMap((from) =>
      ends.map((to) => {
        // Drawn along the road: a worker asks the queue, but the work flows to the worker.
        const [first, second] = from.column <= to.column ? [from, to] : [to, from];
        const perSecond = link.perSecond && link.perSecond * from.share * to.share;
        const steps = second.column - first.column;
        const road = roadBetween(first.box, second.box, steps, first.laneY);
        return { link: { ...link, perSecond }, ...road };
      }),
    );
  });
  return labelled(edges);
}

function stopsOf({ groups, hosts, clients }: Placed, name: string): readonly Stop[] {
  if (name === "clients") return [{ box: clients, column: -1, laneY: 0, share: 1 }];
  const columns = [...new Set(groups.map(({ x }) => x))].sort((a, b) => a - b);
  const named = groups.filter(({ group }) => group.target === name);
  const all = named.reduce((sum, { nodes }) => sum + nodes.length, 0);
  return named.map((box) => ({
    box,
    column: columns.indexOf(box.x),
    laneY: (hosts.find((host) => host.name === box.group.host)?.y ?? 0) + sizes.laneDepth,
    share: box.nodes.length / all,
  }));
}

/** Edges that end at one place share one label: the sum. */
function labelled(edges: readonly Omit<PlacedEdge, "labelPerSecond">[]): PlacedEdge[] {
  const byEnd = Map.groupBy(edges, ({ labelX, labelY }) => `${labelX} ${labelY}`);
  return [...byEnd.values()].flatMap((meeting) => {
    const sum = meeting.reduce((all, { link }) => all + (link.perSecond ?? 0), 0);
    return meeting.map((edge, i) => ({ ...edge, labelPerSecond: i === 0 ? sum : undefined }));
  });
}
