import type { Box, Road } from "./boxes.ts";

const corner = 8;
/** Room for the label between the road's end and the box. */
const labelGap = 4;

/**
 * From box to box without crossing a third: straight to the next column, else through the gutters
 * and the free lane above the boxes.
 * @param steps columns from one to the other
 */
export function roadBetween(from: Box, to: Box, steps: number, laneY: number): Road {
  const end = { x: to.x, y: to.y + to.height / 2 };
  const label = { labelX: end.x - labelGap, labelY: end.y - 5 };
  if (steps === 1) {
    const start = { x: from.x + from.width, y: from.y + from.height / 2 };
    const middle = (start.x + end.x) / 2;
    const bend = `${middle},${start.y} ${middle},${end.y}`;
    const path = `M${start.x},${start.y} C${bend} ${end.x},${end.y}`;
    return { path, ...label };
  }
  if (steps === 0) return besideRoad(from, to);
  const outX = from.x + from.width + 16;
  const startY = from.y + 34;
  const inX = to.x - 22;
  const turn = end.y > laneY ? corner : -corner;
  const path = [
    `M${from.x + from.width},${startY} H${outX - corner}`,
    `Q${outX},${startY} ${outX},${startY - corner} V${laneY + corner}`,
    `Q${outX},${laneY} ${outX + corner},${laneY} H${inX - corner}`,
    `Q${inX},${laneY} ${inX},${laneY + turn} V${end.y - turn}`,
    `Q${inX},${end.y} ${inX + corner},${end.y} H${end.x}`,
  ].join(" ");
  return { path, ...label };
}

/** Between two boxes of one column: around their right side. */
function besideRoad(from: Box, to: Box): Road {
  const x = Math.max(from.x + from.width, to.x + to.width);
  const startY = from.y + from.height / 2 + 8;
  const endY = to.y + to.height / 2 + 8;
  const bend = `${x + 22},${startY} ${x + 22},${endY}`;
  const path = `M${from.x + from.width},${startY} C${bend} ${to.x + to.width},${endY}`;
  return { path, labelX: x + 20, labelY: (startY + endY) / 2 };
}
