import type { Link } from "../../../cli/src/console/console-state.ts";
import type { Group, Node } from "./groups.ts";

/** The path of an edge, and where its label goes. */
export interface Road {
  readonly path: string;
  readonly labelX: number;
  readonly labelY: number;
}

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
  /** All that comes in at its end; on the first of the edges that share the end. */
  readonly labelPerSecond: number | undefined;
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
  readonly noteHeight: number;
  readonly groupGap: number;
  readonly gutter: number;
  readonly padding: number;
  readonly hostTitle: number;
  readonly laneDepth: number;
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
  noteHeight: 32,
  groupGap: 12,
  gutter: 48,
  padding: 14,
  hostTitle: 40,
  /** From the top of a host to the lane of the edges that pass several columns. */
  laneDepth: 26,
  clientsWidth: 72,
  columnHeightMax: 470,
  rowsMax: 6,
  acrossFrom: 760,
});

/** Nodes beside each other, so that no group grows too tall. */
export function sideBySide({ nodes }: Group): number {
  return Math.max(1, Math.ceil(nodes.length / sizes.rowsMax));
}

export function groupHeight({ nodes, queue }: Group, slots: number): number {
  const rows = Math.ceil(nodes.length / slots);
  const note = queue === undefined ? 0 : sizes.noteHeight;
  return sizes.titleHeight + rows * (sizes.nodeHeight + sizes.nodeGap) - sizes.nodeGap + note;
}

export function placeGroup(
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

export function hostNames(groups: readonly Group[]): readonly string[] {
  return [...new Set(groups.map(({ host }) => host))].sort(compare);
}

/** `posts-2` before `posts-10`. */
export function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
