import { styleText } from "node:util";
import type { KeyMovement, NodeMovement } from "tenfold/hashing";

const barColumns = 22;
const identityColumnsMax = 32;
/** Eighths of a column, from one to seven. */
const eighths = "▏▎▍▌▋▊▉";

/** What a change moves, and each node's share before and after as bars of one scale. */
export function movementText(
  before: string,
  after: string,
  { keys, moved, needless, nodes }: KeyMovement,
): string {
  const shareMax = Math.max(...nodes.map((node) => Math.max(node.before, node.after))) / keys;
  const columns = Math.min(
    identityColumnsMax,
    Math.max("node".length, ...nodes.map(({ identity }) => identity.length)),
  );
  const share = (count: number, weight: number): string => {
    if (weight === 0) return "     -".padEnd(7 + barColumns);
    return `${percent(count / keys)} ${bar(count / keys / shareMax)}`;
  };
  const row = (node: NodeMovement): string =>
    [
      name(node.identity, columns),
      share(node.before, node.weightBefore),
      share(node.after, node.weightAfter),
    ]
      .join("  ")
      .trimEnd();
  const cell = 7 + barColumns;
  const head = `${"node".padEnd(columns)}  ${"before".padEnd(cell)}  after`;
  const unneeded = needlessText(needless / keys);
  return [
    `${before} → ${after}, ${keys.toLocaleString("en")} keys`,
    "",
    `moved     ${percent(moved / keys)}  of all keys are on another node`,
    `needless  ${unneeded}  of all keys moved between nodes that did not change`,
    "",
    styleText("dim", head),
    ...nodes.map(row),
  ].join("\n");
}

function needlessText(share: number): string {
  return styleText(share === 0 ? "green" : "yellow", percent(share));
}

/** `  3.1 %`; a share above 0 never reads as 0. */
function percent(share: number): string {
  const text = share > 0 && share < 0.0005 ? "<0.1" : (share * 100).toFixed(1);
  return `${text} %`.padStart(7).slice(-7);
}

function bar(share: number): string {
  const filled = Math.round(share * barColumns * 8);
  const rest = filled % 8 === 0 ? "" : (eighths[(filled % 8) - 1] ?? "");
  return ("█".repeat(Math.floor(filled / 8)) + rest).padEnd(barColumns);
}

/** Long names are cut in the middle: those of a pool mostly differ at the end. */
function name(identity: string, columns: number): string {
  if (identity.length <= columns) return identity.padEnd(columns);
  const end = Math.floor(columns / 2);
  return `${identity.slice(0, columns - end - 1)}…${identity.slice(-end)}`;
}
