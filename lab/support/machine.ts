import { cpus, release, type as systemType, totalmem } from "node:os";

/** What the figures were measured on. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryMb: number;
  readonly system: string;
  readonly node: string;
}

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    cores: processors.length,
    processor: processors[0]?.model.trim() ?? "unknown processor",
    memoryMb: Math.round(totalmem() / 2 ** 20),
    system: `${systemType()} ${release()}`,
    node: process.versions.node,
  };
}

export function machineText({ cores, processor, memoryMb, system, node }: Machine): string {
  return `${cores} cores (${processor}), ${memoryMb} MB, ${system}, Node ${node}`;
}
