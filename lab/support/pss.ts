import { readdirSync, readFileSync } from "node:fs";

/** Memory of one process. */
export interface ProcessMemory {
  readonly pid: number;
  readonly command: string;
  /** Proportional set size: pages shared by n processes count one nth in each. */
  readonly pssMb: number;
}

/** A process and everything below it, greatest first. Linux only. */
export function memoryOfTree(rootPid: number): readonly ProcessMemory[] {
  return processTree(rootPid)
    .flatMap((pid) => memoryOf(pid) ?? [])
    .sort((a, b) => b.pssMb - a.pssMb);
}

/** The pids of a process and of everything below it. */
export function processTree(rootPid: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = parentOf(pid);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [rootPid];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

function parentOf(pid: number): number | undefined {
  const status = read(`/proc/${pid}/stat`);
  // The command's name is in parentheses and may hold blanks and parentheses itself.
  const parent = status?.slice(status.lastIndexOf(")") + 2).split(" ")[1];
  return parent === undefined ? undefined : Number(parent);
}

function memoryOf(pid: number): ProcessMemory | undefined {
  const kilobytes = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? "")?.[1];
  if (kilobytes === undefined) return undefined;
  const command = (read(`/proc/${pid}/cmdline`) ?? "").replaceAll("\0", " ").trim();
  return { pid, command, pssMb: Number(kilobytes) / 1024 };
}

/** The process may have ended meanwhile. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
