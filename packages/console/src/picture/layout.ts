import type { Link } from "../../../cli/src/console/console-state.ts";
import { type Road, roadBetween } from "./edges.ts";
import type { Group, Node } from "./groups.ts";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PlacedNode extends Box {
  readonly node: Node;
}

export interface PlacedGroup extends Box {
  readonly group: Group;
  readonly nodes: readonly PlacedNode[];
}

export interface PlacedEdge extends Road {
  readonly link: Link;
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly hosts: readonly (Box & { readonly name: string })[];
  readonly groups: readonly PlacedGroup[];
  readonly clients: Box;
  readonly edges: readonly PlacedEdge[];
}

export const sizes: {
  readonly nodeHeight: number;
  readonly nodeGap: number;
  readonly nodeWidthMin: number;
  readonly nodeWidthMax: number;
  readonly titleHeight: number;
  readonly groupGap: number;
  readonly gutter: number;
  readonly padding: number;
  readonly hostTitle: number;
  readonly clientsWidth: number;
  readonly columnHeightMax: number;
  readonly rowsMax: number;
  /** Narrower than this, the stages run from top to bottom. */
  readonly acrossFrom: number;
} = Object.freeze({
  nodeHeight: 36,
  nodeGap: 5,
  nodeWidthMin: 132,
  nodeWidthMax: 180,
  titleHeight: 20,
  groupGap: 12,
  gutter: 48,
  padding: 14,
  hostTitle: 40,
  clientsWidth: 72,
  columnHeightMax: 470,
  rowsMax: 6,
  acrossFrom: 760,
});

/** Where everything goes: a pure function of what there is and of the room for it. */
export function layout(groups: readonly Group[], links: readonly Link[], width: number): Picture {
  const sorted = [...groups].sort(
    (a, b) => a.stage - b.stage || a.order - b.order || compare(a.title, b.title),
  );
  const placed = width < sizes.acrossFrom ? downwards(sorted, width) : across(sorted, width);
  return { ...placed, edges: edgesOf(placed, links, width >= sizes.acrossFrom) };
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

/** Stages are rows; within one, groups flow and wrap. Hosts follow each other. */
function downwards(groups: readonly Group[], width: number): Placed {
  const { padding, gutter, hostTitle, nodeGap } = sizes;
  const clients = { x: width / 2 - 60, y: 0, width: 120, height: 44 };
  const nodeWidth = Math.floor((width - 2 * padding - nodeGap) / 2);
  const placed: PlacedGroup[] = [];
  const boxes: (Box & { name: string })[] = [];
  let y = clients.height + gutter / 2;
  for (const name of hostNames(groups)) {
    const top = y;
    y += hostTitle - 10;
    const here = groups.filter(({ host }) => host === name);
    for (const [, stage] of Map.groupBy(here, ({ stage }) => stage)) {
      let x = padding;
      let rowHeight = 0;
      for (const group of stage) {
        const slots = group.nodes.length > 1 ? 2 : 1;
        if (x > padding && (slots === 2 || x > padding + nodeWidth + nodeGap)) {
          x = padding;
          y += rowHeight + sizes.groupGap;
          rowHeight = 0;
        }
        const one = placeGroup(group, x, y, nodeWidth, slots);
        placed.push(one);
        rowHeight = Math.max(rowHeight, one.height);
        x += one.width + nodeGap;
      }
      y += rowHeight + gutter / 2;
    }
    y += padding - gutter / 2;
    boxes.push({ name, x: 0, y: top, width, height: y - top });
    y += sizes.groupGap;
  }
  return { width, height: y - sizes.groupGap, hosts: boxes, groups: placed, clients };
}

function sideBySide({ nodes }: Group): number {
  return Math.max(1, Math.ceil(nodes.length / sizes.rowsMax));
}

function groupHeight({ nodes }: Group, slots: number): number {
  const rows = Math.ceil(nodes.length / slots);
  return sizes.titleHeight + rows * (sizes.nodeHeight + sizes.nodeGap) - sizes.nodeGap;
}

function placeGroup(
  group: Group,
  x: number,
  y: number,
  nodeWidth: number,
  slots: number = sideBySide(group),
): PlacedGroup {
  const nodes = group.nodes.map((node, index) => ({
    node,
    x: x + (index % slots) * (nodeWidth + sizes.nodeGap),
    y: y + sizes.titleHeight + Math.floor(index / slots) * (sizes.nodeHeight + sizes.nodeGap),
    width: nodeWidth,
    height: sizes.nodeHeight,
  }));
  const width = slots * (nodeWidth + sizes.nodeGap) - sizes.nodeGap;
  return { group, x, y, width, height: groupHeight(group, slots), nodes };
}

function edgesOf(placed: Placed, links: readonly Link[], wide: boolean): PlacedEdge[] {
  const boxes = (name: string): readonly { box: Box; stage: number; host: string }[] =>
    name === "clients"
      ? [{ box: placed.clients, stage: 0, host: "" }]
      : placed.groups
          .filter(({ group }) => group.target === name)
          .map((box) => ({ box, stage: box.group.stage, host: box.group.host }));
  return links.flatMap((link) => {
    const pairs = boxes(link.from).flatMap((from) => boxes(link.to).map((to) => ({ from, to })));
    return pairs.map(({ from, to }) => {
      // Drawn along the road: a worker asks the queue, but the work flows to the worker.
      const [first, second] = from.stage <= to.stage ? [from, to] : [to, from];
      const steps = second.stage - first.stage;
      const laneY = (placed.hosts.find(({ name }) => name === first.host)?.y ?? 0) + 26;
      return { link, ...roadBetween(first.box, second.box, { steps, wide, laneY }) };
    });
  });
}

function hostNames(groups: readonly Group[]): readonly string[] {
  return [...new Set(groups.map(({ host }) => host))].sort(compare);
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
