import { join } from "node:path";

import type { Runtime } from "../runtime/runtime.ts";
import type { FleetPlan, ProcessPlan } from "./fleet-plan.ts";
import { probeStatus } from "./http-probe.ts";
import {
  createManagedProcess,
  type ManagedProcess,
  type ProcessChange,
} from "./managed-process.ts";
import { processEnvironment } from "./process-environment.ts";
import { spawnChild } from "./spawn-child.ts";

export interface ManagedProgramOptions {
  readonly plan: FleetPlan;
  readonly own: ProcessPlan;
  readonly fleetFile: string;
  readonly program: { readonly command: string; readonly args: readonly string[] };
  readonly version: string;
  readonly runtime: Runtime;
  readonly onChange: (change: ProcessChange) => void;
}

export const managedProgramDefaults: {
  readonly stopGraceMs: number;
  readonly probeTimeoutMs: number;
} = Object.freeze({
  /** The service host drains for up to ten seconds; a process that takes longer is killed. */
  stopGraceMs: 15_000,
  probeTimeoutMs: 2_000,
});

/** A process of a plan under supervision: it is ready and alive as its admin port says. */
export function managedProgram(options: ManagedProgramOptions): ManagedProcess {
  const { plan, own, fleetFile, program, version, runtime, onChange } = options;
  const { stopGraceMs, probeTimeoutMs } = managedProgramDefaults;
  const admin = `http://${own.address}:${own.adminPort}`;
  const answers = async (path: string): Promise<boolean> =>
    (await probeStatus(`${admin}${path}`, probeTimeoutMs)) === 200;
  return createManagedProcess({
    name: own.name,
    spawn: () =>
      spawnChild({
        command: program.command,
        args: [...program.args, "run", own.service, "--fleet", fleetFile],
        env: processEnvironment(plan, own, version),
        cwd: plan.dataFolder,
        logFile: join(plan.dataFolder, "logs", `${own.name}.log`),
        program: true,
      }),
    isReady: () => answers("/readyz"),
    isAlive: () => answers("/healthz"),
    stopSignal: "SIGTERM",
    stopGraceMs,
    onChange,
    runtime,
  });
}
